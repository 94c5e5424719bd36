// The tokens of a vocabulary as a trie over their bytes, for models that look for the tokens a text begins with. A
// node's children lie side by side, ordered by byte. Token texts are bounded, so that a walk from every place of a text
// stays near-linear in it, whatever the file says.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/vocabulary.h"

namespace hearth {

class TokenTrie {
 public:
  static constexpr size_t kMaxTokenBytes = 1024;  // published tokens stay below 300
  static constexpr TokenId kNone = -1;
  static constexpr uint32_t kRoot = 0, kMissing = UINT32_MAX;

  // The tokens of `vocabulary` for which `is_left_out` (by id; shorter means false) does not hold and that are not
  // empty. Throws kInvalidArgument for a token that is too long.
  TokenTrie(const Vocabulary& vocabulary, const std::vector<bool>& is_left_out);

  // The child of `node` by `byte`, or kMissing.
  uint32_t child(uint32_t node, unsigned char byte) const;
  // The node that `text` leads to from the root, or kMissing.
  uint32_t find(std::string_view text) const;
  // The token that ends at `node`, or kNone.
  TokenId token(uint32_t node) const { return nodes_[node].token; }

 private:
  struct Node {
    uint32_t first_child = 0;
    TokenId token = kNone;
    uint16_t children = 0;
    unsigned char byte = 0;
  };
  std::vector<Node> nodes_;  // a level at a time
};

}  // namespace hearth
