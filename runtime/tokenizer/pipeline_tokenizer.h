// The tokenizer as a row of steps, which tokenizer.json spells out and GGUF vocabularies imply: added tokens,
// normaliser, pre-tokenizer, model, post-processor. Source: TokenizerImpl of the `tokenizers` library.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/tokenizer/added_tokens.h"
#include "runtime/tokenizer/model.h"
#include "runtime/tokenizer/normalizer.h"
#include "runtime/tokenizer/pretokenizer.h"
#include "runtime/tokenizer/vocabulary.h"

namespace hearth {

// What a loader fills in.
struct PipelineParts {
  std::string name;                        // file, for errors
  std::unique_ptr<Vocabulary> vocabulary;  // added tokens included
  std::vector<AddedToken> added_tokens;
  std::unique_ptr<Normalizer> normalizer;       // null: none
  std::unique_ptr<PreTokenizer> pre_tokenizer;  // null: none
  std::unique_ptr<TokenModel> model;
  std::vector<TokenId> prefix, suffix;  // what add_special puts around the text
  DecodeRules decode_rules;
  std::unordered_map<TokenId, std::string> decoder_texts;  // of tokens whose decoders read another text than theirs
  std::optional<TokenId> bos, eos, pad;
};

class PipelineTokenizer : public Tokenizer {
 public:
  explicit PipelineTokenizer(PipelineParts parts);

  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options) const override;
  std::string token_bytes(TokenId id) const override;
  std::string token_text(TokenId id) const override;
  std::optional<TokenId> token_id(std::string_view token_text) const override {
    return parts_.vocabulary->find(token_text);
  }
  bool is_special(TokenId id) const override { return has_token(id) && special_[static_cast<size_t>(id)]; }
  int64_t vocab_size() const override { return parts_.vocabulary->size(); }
  std::optional<TokenId> bos() const override { return parts_.bos; }
  std::optional<TokenId> eos() const override { return parts_.eos; }
  std::optional<TokenId> pad() const override { return parts_.pad; }
  DecodeRules decode_rules() const override { return parts_.decode_rules; }
  bool has_token(TokenId id) const override { return parts_.vocabulary->contains(id); }
  std::string decoder_text(TokenId id) const override;

 private:
  void encode_segment(std::string_view text, size_t offset, const EncodeOptions& options, Workspace& workspace,
                      std::vector<TokenId>& ids) const;
  void encode_pieces(std::string_view text, bool text_start, Workspace& workspace, std::vector<TokenId>& ids) const;
  void check_id(TokenId id) const;

  PipelineParts parts_;
  std::vector<bool> special_;           // by id
  AddedTokenMatcher raw_, normalized_;  // sought in the text as given, and after normalisation
  mutable std::mutex mutex_;            // idle_workspaces_
  mutable std::vector<std::unique_ptr<Workspace>> idle_workspaces_;
};

// Whether no range of `literal` (sorted, disjoint) meets `range`.
bool is_outside(const ByteRange& range, std::span<const ByteRange> literal);

// Throws kInvalidArgument unless `text` is UTF-8 and `options.literal` lies in it, sorted and disjoint.
void check_encode_input(std::string_view text, const EncodeOptions& options);

}  // namespace hearth
