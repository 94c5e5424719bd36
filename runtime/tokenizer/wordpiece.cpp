#include "runtime/tokenizer/wordpiece.h"

#include "runtime/base/error.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {

WordPieceModel::WordPieceModel(const Vocabulary& vocabulary, const WordPieceOptions& options,
                               const std::vector<bool>& is_control)
    : options_(options), trie_(vocabulary, is_control), continuing_root_(trie_.find(options.continuing_prefix)) {}

void WordPieceModel::encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& ids) const {
  workspace.cache.remember(piece, ids, [&] {
    const size_t before = ids.size();
    if (utf8::count(piece) <= options_.max_characters && cut(piece, ids)) return;
    if (!options_.unk)
      throw invalid_argument("'{}' is not in the vocabulary, which has no unknown token", utf8::shorten(piece, 60));
    ids.resize(before);
    ids.push_back(*options_.unk);
  });
}

bool WordPieceModel::cut(std::string_view word, std::vector<TokenId>& ids) const {
  for (size_t begin = 0; begin < word.size();) {
    TokenId longest = TokenTrie::kNone;
    size_t longest_end = begin;
    uint32_t node = begin == 0 ? TokenTrie::kRoot : continuing_root_;
    for (size_t end = begin; end < word.size() && node != TokenTrie::kMissing;) {
      node = trie_.child(node, static_cast<unsigned char>(word[end++]));
      if (node == TokenTrie::kMissing || trie_.token(node) == TokenTrie::kNone) continue;
      longest = trie_.token(node);
      longest_end = end;
    }
    if (longest == TokenTrie::kNone) return false;
    ids.push_back(longest);
    begin = longest_end;
  }
  return true;
}

}  // namespace hearth
