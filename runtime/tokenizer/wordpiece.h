// WordPiece: a piece is cut into the longest tokens from left to right, those behind the first spelled with a prefix
// ("##ing"); a piece that cannot be cut so is one unknown token. Source: arXiv 1609.08144 and the `tokenizers` library,
// models/wordpiece.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/model.h"
#include "runtime/tokenizer/token_trie.h"
#include "runtime/tokenizer/vocabulary.h"

namespace hearth {

struct WordPieceOptions {
  std::optional<TokenId> unk = std::nullopt;  // without it a text with unknown words is refused
  std::string continuing_prefix = "##";
  size_t max_characters = 100;  // longer pieces are unknown
};

class WordPieceModel : public TokenModel {
 public:
  // Ids for which `is_control` is true come out of added-token matching only, but for the unknown token.
  WordPieceModel(const Vocabulary& vocabulary, const WordPieceOptions& options, const std::vector<bool>& is_control);

  void encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& ids) const override;

 private:
  // Whether `word` could be cut; if not, `ids` may hold a part of it.
  bool cut(std::string_view word, std::vector<TokenId>& ids) const;

  WordPieceOptions options_;
  TokenTrie trie_;
  uint32_t continuing_root_;  // where the prefix leads; kMissing: no token begins with it
};

}  // namespace hearth
