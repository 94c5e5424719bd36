// WordLevel: a piece is a token of the vocabulary or the unknown token. Source: the `tokenizers` library,
// models/wordlevel.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/model.h"
#include "runtime/tokenizer/vocabulary.h"

namespace hearth {

class WordLevelModel : public TokenModel {
 public:
  // `vocabulary` outlives the model. Without `unk` a text with unknown words is refused. Ids for which `is_control` is
  // true come out of added-token matching only, but for the unknown token.
  WordLevelModel(const Vocabulary& vocabulary, std::optional<TokenId> unk, const std::vector<bool>& is_control);

  void encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& ids) const override;

 private:
  const Vocabulary& vocabulary_;
  std::optional<TokenId> unk_;
  std::vector<bool> is_control_;
};

}  // namespace hearth
