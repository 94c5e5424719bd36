#include "runtime/tokenizer/pipeline_tokenizer.h"

#include <algorithm>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {

bool is_outside(const ByteRange& range, std::span<const ByteRange> literal) {
  auto it =
      std::partition_point(literal.begin(), literal.end(), [&](const ByteRange& r) { return r.end <= range.begin; });
  while (it != literal.end() && it->begin == it->end) ++it;  // empty ranges hold nothing
  return it == literal.end() || it->begin >= range.end;
}

void check_encode_input(std::string_view text, const EncodeOptions& options) {
  if (const size_t bad = utf8::find_invalid(text); bad != std::string_view::npos) {
    throw invalid_argument("the text is not valid UTF-8 at byte {}", bad);
  }
  size_t end = 0;
  for (const ByteRange& range : options.literal) {
    HEARTH_CHECK(end <= range.begin && range.begin <= range.end && range.end <= text.size());
    end = range.end;
  }
}

PipelineTokenizer::PipelineTokenizer(PipelineParts parts) : parts_(std::move(parts)) {
  special_.resize(static_cast<size_t>(parts_.vocabulary->size()));
  std::vector<AddedToken> raw, normalized;
  for (const AddedToken& token : parts_.added_tokens) {
    if (token.special) special_[static_cast<size_t>(token.id)] = true;
    if (!token.normalized) {
      raw.push_back(token);
      continue;
    }
    normalized.push_back(token);
    if (!parts_.normalizer) continue;
    NormalizedText content = to_normalize(token.content, false);
    parts_.normalizer->apply(content);
    if (content.text == token.content) continue;
    parts_.decoder_texts.emplace(token.id, content.text);  // as the reference decodes it
    normalized.back().content = std::move(content.text);
  }
  raw_ = AddedTokenMatcher(std::move(raw));
  normalized_ = AddedTokenMatcher(std::move(normalized));
}

std::vector<TokenId> PipelineTokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  check_encode_input(text, options);
  std::unique_ptr<Workspace> workspace;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_workspaces_.empty()) {
      workspace = std::move(idle_workspaces_.back());
      idle_workspaces_.pop_back();
    }
  }
  if (!workspace) workspace = std::make_unique<Workspace>();

  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + parts_.prefix.size() + parts_.suffix.size());
  if (options.add_special) ids = parts_.prefix;
  std::vector<TextPart> segments;
  raw_.split(
      text, [&](const ByteRange& range) { return options.parse_special && is_outside(range, options.literal); },
      segments);
  for (const TextPart& segment : segments) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
    } else {
      encode_segment(text.substr(segment.range.begin, segment.range.end - segment.range.begin), segment.range.begin,
                     options, *workspace, ids);
    }
  }
  if (options.add_special) ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());

  workspace->trim();
  const std::lock_guard lock(mutex_);
  if (idle_workspaces_.size() < std::max(1u, std::thread::hardware_concurrency()))
    idle_workspaces_.push_back(std::move(workspace));
  return ids;
}

void PipelineTokenizer::encode_segment(std::string_view text, size_t offset, const EncodeOptions& options,
                                       Workspace& workspace, std::vector<TokenId>& ids) const {
  if (!parts_.normalizer && normalized_.empty()) return encode_pieces(text, offset == 0, workspace, ids);
  // Where bytes came from matters only to special tokens that are sought after normalisation.
  NormalizedText normal = to_normalize(text, !options.literal.empty() && normalized_.has_special());
  if (parts_.normalizer) parts_.normalizer->apply(normal);
  const auto allows_special = [&](const ByteRange& range) {
    if (!options.parse_special) return false;
    if (options.literal.empty()) return true;
    return is_outside({offset + normal.origin[range.begin], offset + normal.origin[range.end]}, options.literal);
  };
  std::vector<TextPart> parts;
  normalized_.split(normal.text, allows_special, parts);
  for (const TextPart& part : parts) {
    if (part.id >= 0) {
      ids.push_back(part.id);
    } else {
      const std::string_view piece =
          std::string_view(normal.text).substr(part.range.begin, part.range.end - part.range.begin);
      encode_pieces(piece, offset == 0 && part.range.begin == 0 && !normal.lost_begin, workspace, ids);
    }
  }
}

void PipelineTokenizer::encode_pieces(std::string_view text, bool text_start, Workspace& workspace,
                                      std::vector<TokenId>& ids) const {
  if (text.empty()) return;
  if (!parts_.pre_tokenizer) return parts_.model->encode(text, workspace, ids);
  PieceList& pieces = workspace.pieces;
  pieces.text = text;
  pieces.text_start = text_start;
  pieces.ranges.assign(1, {0, text.size()});
  parts_.pre_tokenizer->split(pieces);
  for (const ByteRange& range : pieces.ranges) {
    parts_.model->encode(pieces.text.substr(range.begin, range.end - range.begin), workspace, ids);
  }
}

void PipelineTokenizer::check_id(TokenId id) const {
  if (!has_token(id))
    throw invalid_argument("{}: token id {} is not in the vocabulary of {}", parts_.name, id, vocab_size());
}

std::string PipelineTokenizer::token_text(TokenId id) const {
  check_id(id);
  return std::string(parts_.vocabulary->text(id));
}

std::string PipelineTokenizer::token_bytes(TokenId id) const {
  return parts_.decode_rules.in_the_middle(decoder_text(id));
}

std::string PipelineTokenizer::decoder_text(TokenId id) const {
  const auto own = parts_.decoder_texts.find(id);
  return own != parts_.decoder_texts.end() ? own->second : token_text(id);
}

}  // namespace hearth
