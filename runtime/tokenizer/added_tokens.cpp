#include "runtime/tokenizer/added_tokens.h"

#include <algorithm>

#include "runtime/tokenizer/utf8.h"

namespace hearth {

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.content.empty(); });
  nodes_.emplace_back();
  for (size_t i = 0; i < tokens_.size(); ++i) {
    uint32_t at = 0;
    for (const char c : tokens_[i].content) {
      const auto byte = static_cast<unsigned char>(c);
      if (const uint32_t* next = child(nodes_[at], byte)) {
        at = *next;
        continue;
      }
      const auto made = static_cast<uint32_t>(nodes_.size());
      auto& children = nodes_[at].children;
      children.insert(std::lower_bound(children.begin(), children.end(), std::pair(byte, uint32_t{0})), {byte, made});
      nodes_.emplace_back();
      at = made;
    }
    nodes_[at].token = static_cast<int32_t>(i);
    starts_[static_cast<unsigned char>(tokens_[i].content[0])] = true;
  }
}

bool AddedTokenMatcher::has_special() const {
  return std::any_of(tokens_.begin(), tokens_.end(), [](const AddedToken& token) { return token.special; });
}

const uint32_t* AddedTokenMatcher::child(const Node& node, unsigned char byte) const {
  const auto it = std::lower_bound(node.children.begin(), node.children.end(), std::pair(byte, uint32_t{0}));
  return it != node.children.end() && it->first == byte ? &it->second : nullptr;
}

bool AddedTokenMatcher::is_whole_word(std::string_view text, const ByteRange& range) {
  size_t before = range.begin, after = range.end;
  return (before == 0 || !utf8::is_word(utf8::decode_back(text, before))) &&
         (after == text.size() || !utf8::is_word(utf8::decode(text, after)));
}

size_t AddedTokenMatcher::strip_before(std::string_view text, size_t pos, size_t limit) {
  if (pos < limit) return limit;
  while (pos > limit) {
    size_t before = pos;
    if (!utf8::is_space(utf8::decode_back(text, before))) break;
    pos = before;
  }
  return pos;
}

size_t AddedTokenMatcher::strip_after(std::string_view text, size_t pos) {
  while (pos < text.size()) {
    size_t after = pos;
    if (!utf8::is_space(utf8::decode(text, after))) break;
    pos = after;
  }
  return pos;
}

}  // namespace hearth
