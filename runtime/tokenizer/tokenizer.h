// Text to token ids and back, equal to the reference tokenizers of Hugging Face (`tokenizers`), sentencepiece and GGUF
// vocabularies. Immutable after loading and safe to share between threads. What comes from a file is untrusted: errors
// name the file and what was found.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/byte_range.h"
#include "runtime/tokenizer/decode_rules.h"

namespace hearth {

class GgufFile;
using TokenId = int32_t;

struct EncodeOptions {
  bool add_special = false;   // the tokenizer's own BOS/EOS (post-processor), as for a string prompt of /v1/completions
  bool parse_special = true;  // text that spells a control token becomes that token
  // With parse_special: ranges (sorted, disjoint) in which control tokens are not recognised, whatever the text spells:
  // user and tool messages. A control token that reaches into such a range is none; otherwise the ranges change
  // nothing.
  std::span<const ByteRange> literal = {};
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Throws kInvalidArgument for text that is not UTF-8.
  virtual std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options = {}) const = 0;

  // The bytes that a token adds to a text; not necessarily whole UTF-8 characters. Ids outside the vocabulary throw
  // kInvalidArgument.
  virtual std::string token_bytes(TokenId id) const = 0;
  // The token as the vocabulary spells it ("Ġthe", "▁the", "<|im_end|>").
  virtual std::string token_text(TokenId id) const = 0;
  virtual std::optional<TokenId> token_id(std::string_view token_text) const = 0;
  // Control and unknown tokens that decoding leaves out.
  virtual bool is_special(TokenId id) const = 0;

  // The largest id + 1. A model may have more rows than that (padding), and a vocabulary may have gaps.
  virtual int64_t vocab_size() const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  virtual std::optional<TokenId> pad() const { return std::nullopt; }

  // What StreamDecoder goes by: the steps, and the token as they read it.
  virtual DecodeRules decode_rules() const { return decode_bytes(); }
  virtual std::string decoder_text(TokenId id) const { return token_bytes(id); }
  // A tokenizer without gaps need not override this.
  virtual bool has_token(TokenId id) const { return id >= 0 && id < vocab_size(); }

  // As the reference's decode(ids, skip_special_tokens); invalid UTF-8 becomes U+FFFD, ids without a token add nothing.
  virtual std::string decode(std::span<const TokenId> ids, bool skip_special = true) const;
};

// A directory with tokenizer.json (or tokenizer.model), tokenizer_config.json, special_tokens_map.json as Hugging Face
// writes them.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& directory);
// The vocabulary in a GGUF file's tokenizer.ggml.* keys.
std::shared_ptr<const Tokenizer> load_tokenizer(const GgufFile& gguf);

}  // namespace hearth
