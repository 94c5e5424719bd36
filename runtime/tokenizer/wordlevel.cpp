#include "runtime/tokenizer/wordlevel.h"

#include "runtime/base/error.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {

WordLevelModel::WordLevelModel(const Vocabulary& vocabulary, std::optional<TokenId> unk,
                               const std::vector<bool>& is_control)
    : vocabulary_(vocabulary), unk_(unk), is_control_(is_control) {}

void WordLevelModel::encode(std::string_view piece, Workspace&, std::vector<TokenId>& ids) const {
  const std::optional<TokenId> id = vocabulary_.find(piece);
  const bool is_text = id && (static_cast<size_t>(*id) >= is_control_.size() || !is_control_[static_cast<size_t>(*id)]);
  if (!is_text && !unk_)
    throw invalid_argument("'{}' is not in the vocabulary, which has no unknown token", utf8::shorten(piece, 60));
  ids.push_back(is_text ? *id : *unk_);
}

}  // namespace hearth
