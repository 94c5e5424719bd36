// Unigram: of all ways to cut a piece into tokens the one of the highest sum of scores (log-probabilities), found by
// Viterbi's algorithm over the bytes. A character that no token of one character covers may become the unknown token,
// at 10 below the lowest score; neighbouring unknown characters are one. Source: arXiv 1804.10959 and the `tokenizers`
// library, models/unigram.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/model.h"
#include "runtime/tokenizer/token_trie.h"
#include "runtime/tokenizer/vocabulary.h"

namespace hearth {

struct UnigramOptions {
  std::optional<TokenId> unk = std::nullopt;  // without it a text with unknown characters is refused
  bool byte_fallback = false;                 // unknown characters are spelled by <0xNN> tokens, if there are all
};

class UnigramModel : public TokenModel {
 public:
  // `vocabulary` outlives the model; `scores` are by id, finite, and one for every token up to the last that takes
  // part. Ids for which `is_control` is true come out of added-token matching only, but for the unknown token.
  UnigramModel(const Vocabulary& vocabulary, std::vector<double> scores, const UnigramOptions& options,
               const std::vector<bool>& is_control);

  void encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& ids) const override;

 private:
  void encode_word(std::string_view word, Workspace& workspace, std::vector<TokenId>& ids) const;
  void find_best_path(std::string_view word, std::vector<Workspace::PathNode>& ends) const;
  void add_unknown(std::string_view characters, std::vector<TokenId>& ids) const;

  const Vocabulary& vocabulary_;
  std::vector<double> scores_;
  UnigramOptions options_;
  std::vector<bool> is_control_;
  TokenTrie trie_;
  double unk_score_;
  std::array<TokenId, 256> byte_ids_;  // of <0xNN>; kNone where the vocabulary lacks it
};

}  // namespace hearth
