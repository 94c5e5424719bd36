#include "runtime/tokenizer/unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/base/error.h"
#include "runtime/tokenizer/byte_fallback.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

using PathNode = Workspace::PathNode;
constexpr double kUnknownPenalty = 10.0;

bool is_true(const std::vector<bool>& flags, TokenId id) {
  return static_cast<size_t>(id) < flags.size() && flags[static_cast<size_t>(id)];
}

}  // namespace

UnigramModel::UnigramModel(const Vocabulary& vocabulary, std::vector<double> scores, const UnigramOptions& options,
                           const std::vector<bool>& is_control)
    : vocabulary_(vocabulary),
      scores_(std::move(scores)),
      options_(options),
      is_control_(is_control),
      trie_(vocabulary, [&] {
        std::vector<bool> is_left_out(static_cast<size_t>(vocabulary.size()));
        for (size_t id = 0; id < is_left_out.size(); ++id)
          is_left_out[id] = id >= scores_.size() || is_true(is_control, static_cast<TokenId>(id));
        return is_left_out;
      }()) {
  double lowest = std::numeric_limits<double>::infinity();
  for (size_t id = 0; id < scores_.size(); ++id) {
    if (!std::isfinite(scores_[id])) throw data_corruption("the score of token {} is not a finite number", id);
    lowest = std::min(lowest, scores_[id]);
  }
  unk_score_ = lowest - kUnknownPenalty;
  for (unsigned byte = 0; byte < 256; ++byte)
    byte_ids_[byte] = vocabulary.find(byte_token(static_cast<uint8_t>(byte))).value_or(TokenTrie::kNone);
}

void UnigramModel::encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& ids) const {
  if (piece.size() > UINT32_MAX / 2) throw invalid_argument("a text of {} bytes is too long to tokenise", piece.size());
  workspace.cache.remember(piece, ids, [&] { encode_word(piece, workspace, ids); });
}

void UnigramModel::find_best_path(std::string_view word, std::vector<PathNode>& ends) const {
  ends.assign(word.size() + 1, {});
  const auto offer = [&](size_t end, double score, TokenId id, size_t begin) {
    PathNode& node = ends[end];
    if (node.begin != PathNode::kUnreached && score <= node.score) return;
    node = {score, static_cast<uint32_t>(begin), id};
  };
  for (size_t begin = 0; begin < word.size();) {
    const size_t next = begin + utf8::length_from_lead(static_cast<unsigned char>(word[begin]));
    const double score = ends[begin].score;
    bool is_covered = false;
    uint32_t node = TokenTrie::kRoot;
    for (size_t end = begin; end < word.size();) {
      node = trie_.child(node, static_cast<unsigned char>(word[end++]));
      if (node == TokenTrie::kMissing) break;
      const TokenId id = trie_.token(node);
      if (id == TokenTrie::kNone) continue;
      offer(end, score + scores_[static_cast<size_t>(id)], id, begin);
      is_covered |= end == next;
    }
    if (!is_covered) {
      if (!options_.unk)
        throw invalid_argument("'{}' is not in the vocabulary, which has no unknown token",
                               word.substr(begin, next - begin));
      offer(next, score + unk_score_, *options_.unk, begin);
    }
    begin = next;
  }
}

void UnigramModel::encode_word(std::string_view word, Workspace& workspace, std::vector<TokenId>& ids) const {
  std::vector<PathNode>& ends = workspace.path;
  find_best_path(word, ends);
  for (size_t end = word.size(); end > 0; end = ends[end].begin)
    ends[ends[end].begin].next = static_cast<uint32_t>(end);
  for (size_t begin = 0; begin < word.size();) {
    size_t end = ends[begin].next;
    if (ends[end].id != options_.unk) {
      ids.push_back(ends[end].id);
    } else {
      while (end < word.size() && ends[ends[end].next].id == options_.unk) end = ends[end].next;
      add_unknown(word.substr(begin, end - begin), ids);
    }
    begin = end;
  }
}

void UnigramModel::add_unknown(std::string_view characters, std::vector<TokenId>& ids) const {
  if (const std::optional<TokenId> id = vocabulary_.find(characters); id && !is_true(is_control_, *id))
    return ids.push_back(*id);
  const auto byte_id = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  if (options_.byte_fallback &&
      std::all_of(characters.begin(), characters.end(), [&](char byte) { return byte_id(byte) != TokenTrie::kNone; })) {
    for (const char byte : characters) ids.push_back(byte_id(byte));
    return;
  }
  ids.push_back(*options_.unk);
}

}  // namespace hearth
