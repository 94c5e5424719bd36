#include "runtime/tokenizer/sentencepiece_tokenizer.h"

#include <algorithm>

#include <sentencepiece_processor.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/tokenizer/gguf_token_type.h"
#include "runtime/tokenizer/metaspace.h"
#include "runtime/tokenizer/pipeline_tokenizer.h"
#include "runtime/tokenizer/sentencepiece_model.h"

namespace hearth {
namespace {

using sentencepiece::SentencePieceProcessor;

// normalizer_spec { add_dummy_prefix: false } of ModelProto; appended to a model it overrides the model's own setting,
// as protobuf merges messages.
constexpr std::string_view kNoDummyPrefix("\x1A\x02\x18\x00", 4);

std::unique_ptr<SentencePieceProcessor> make_processor(const std::string& model, const std::string& name) {
  auto processor = std::make_unique<SentencePieceProcessor>();
  if (const auto status = processor->LoadFromSerializedProto(model); !status.ok()) {
    throw data_corruption("{}: not a sentencepiece model: {}", name, status.ToString());
  }
  return processor;
}

enum class PrefixRule {
  kAlways,       // the model's own: every stretch between added tokens gets its dummy prefix
  kUnlessSpace,  // the same but for one that begins with a space (LlamaTokenizer, legacy)
  kFirst,        // only at the start of the text, and not before a space (LlamaTokenizer)
  kNever,        // add_prefix_space: false
};

class SentencePieceTokenizer : public Tokenizer {
 public:
  struct Parts {
    std::string name;
    std::unique_ptr<SentencePieceProcessor> with_prefix, bare;  // the model as it is, and without its dummy prefix
    PrefixRule prefix_rule = PrefixRule::kAlways;
    Vocabulary vocabulary;
    std::vector<AddedToken> added_tokens;
    std::vector<bool> special;            // by id
    std::vector<TokenId> prefix, suffix;  // what add_special puts around the text
    std::optional<TokenId> bos, eos, pad;
  };
  explicit SentencePieceTokenizer(Parts parts) : parts_(std::move(parts)), matcher_(parts_.added_tokens) {}

  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options) const override {
    check_encode_input(text, options);
    std::vector<TokenId> ids;
    if (options.add_special) ids = parts_.prefix;
    std::vector<TextPart> parts;
    matcher_.split(
        text, [&](const ByteRange& range) { return options.parse_special && is_outside(range, options.literal); },
        parts);
    for (const TextPart& part : parts) {
      if (part.id >= 0) {
        ids.push_back(part.id);
        continue;
      }
      std::vector<int> piece_ids;
      const std::string_view piece = text.substr(part.range.begin, part.range.end - part.range.begin);
      const auto status =
          (wants_prefix(piece, part.range.begin) ? parts_.with_prefix : parts_.bare)->Encode(piece, &piece_ids);
      if (!status.ok()) throw internal_error("{}: {}", parts_.name, status.ToString());
      ids.insert(ids.end(), piece_ids.begin(), piece_ids.end());
    }
    if (options.add_special) ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());
    return ids;
  }

  std::string token_bytes(TokenId id) const override { return decode_rules().in_the_middle(token_text(id)); }
  std::string token_text(TokenId id) const override {
    if (!has_token(id))
      throw invalid_argument("{}: token id {} is not in the vocabulary of {}", parts_.name, id, vocab_size());
    return std::string(parts_.vocabulary.text(id));
  }
  std::optional<TokenId> token_id(std::string_view token_text) const override {
    return parts_.vocabulary.find(token_text);
  }
  bool is_special(TokenId id) const override { return has_token(id) && parts_.special[static_cast<size_t>(id)]; }
  bool has_token(TokenId id) const override { return parts_.vocabulary.contains(id); }
  std::string decoder_text(TokenId id) const override { return token_text(id); }
  int64_t vocab_size() const override { return parts_.vocabulary.size(); }
  std::optional<TokenId> bos() const override { return parts_.bos; }
  std::optional<TokenId> eos() const override { return parts_.eos; }
  std::optional<TokenId> pad() const override { return parts_.pad; }
  DecodeRules decode_rules() const override {
    return decode_sentencepiece(/*strip_space=*/parts_.prefix_rule != PrefixRule::kNever);
  }

 private:
  bool wants_prefix(std::string_view piece, size_t begin) const {
    const bool begins_with_space = piece.starts_with(' ') || piece.starts_with(kMetaspace);
    switch (parts_.prefix_rule) {
      case PrefixRule::kAlways:
        return true;
      case PrefixRule::kUnlessSpace:
        return !begins_with_space;
      case PrefixRule::kFirst:
        return begin == 0 && !begins_with_space;
      case PrefixRule::kNever:
        return false;
    }
    return true;
  }

  Parts parts_;
  AddedTokenMatcher matcher_;
};

bool is_llama(const DirectoryConfig& config) {
  return config.tokenizer_class == "LlamaTokenizer" || config.tokenizer_class == "CodeLlamaTokenizer";
}

PrefixRule prefix_rule(const DirectoryConfig& config) {
  if (!is_llama(config)) return PrefixRule::kAlways;
  if (!config.add_prefix_space) return PrefixRule::kNever;
  return config.legacy ? PrefixRule::kUnlessSpace : PrefixRule::kFirst;
}

// Control pieces, then what the directory's other files add or call control tokens.
void add_tokens(const DirectoryConfig& config, std::string_view model, SentencePieceTokenizer::Parts& parts) {
  const auto add = [&](AddedToken token) {
    if (!parts.vocabulary.find(token.content)) parts.vocabulary.set(token.id, token.content);
    token.id = *parts.vocabulary.find(token.content);
    token.normalized = false;  // libsentencepiece normalises; added tokens are sought in the text as given
    parts.special.resize(static_cast<size_t>(parts.vocabulary.size()));
    if (parts.special[static_cast<size_t>(token.id)]) token.special = true;
    parts.special[static_cast<size_t>(token.id)] = token.special;
    parts.added_tokens.push_back(std::move(token));
  };
  const SentencePieceProcessor& processor = *parts.with_prefix;
  for (int id = 0; id < processor.GetPieceSize(); ++id) {
    if (processor.IsControl(id) || processor.IsUnknown(id))
      add({.content = processor.IdToPiece(id), .id = id, .special = true});
  }
  if (is_llama(config)) {  // other classes leave them to sentencepiece
    const SentencePieceModel read = read_sentencepiece_model(model);
    for (size_t id = 0; id < read.pieces.size(); ++id)
      if (read.pieces[id].type == kUserDefinedToken)
        add({.content = read.pieces[id].text, .id = static_cast<TokenId>(id)});
  }
  for (const AddedToken& token : config.added_tokens) add(token);
  for (const std::string& content : config.special_tokens) {
    if (const std::optional<TokenId> id = parts.vocabulary.find(content))
      add({.content = content, .id = *id, .special = true});
  }
}

}  // namespace

std::shared_ptr<const Tokenizer> load_sentencepiece(const std::filesystem::path& model, const DirectoryConfig& config) {
  const std::string name = model.string();
  const std::string bytes = read_file(model);
  SentencePieceTokenizer::Parts parts;
  parts.name = name;
  parts.with_prefix = make_processor(bytes, name);
  parts.bare = make_processor(bytes + std::string(kNoDummyPrefix), name);
  parts.prefix_rule = prefix_rule(config);
  const SentencePieceProcessor& processor = *parts.with_prefix;
  try {
    for (int id = 0; id < processor.GetPieceSize(); ++id) parts.vocabulary.set(id, processor.IdToPiece(id));
    add_tokens(config, bytes, parts);
  } catch (const Error& error) {
    throw data_corruption("{}: {}", name, error.what());
  }
  const auto find = [&](const std::optional<std::string>& text, int fallback) -> std::optional<TokenId> {
    if (text) return parts.vocabulary.find(*text);
    return fallback >= 0 ? std::optional<TokenId>(fallback) : std::nullopt;
  };
  parts.bos = find(config.bos_token, processor.bos_id());
  parts.eos = find(config.eos_token, processor.eos_id());
  parts.pad = find(config.pad_token, -1);
  if (parts.bos && config.add_bos_token.value_or(is_llama(config))) parts.prefix = {*parts.bos};
  if (parts.eos && config.add_eos_token.value_or(false)) parts.suffix = {*parts.eos};
  return std::make_shared<SentencePieceTokenizer>(std::move(parts));
}

}  // namespace hearth
