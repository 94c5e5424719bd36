#include "runtime/tokenizer/token_trie.h"

#include <algorithm>
#include <utility>

#include "runtime/base/error.h"

namespace hearth {

TokenTrie::TokenTrie(const Vocabulary& vocabulary, const std::vector<bool>& is_left_out) {
  struct Entry {
    std::string_view text;
    TokenId id;
  };
  std::vector<Entry> entries;
  for (int64_t id = 0; id < vocabulary.size(); ++id) {
    const auto at = static_cast<size_t>(id);
    if (!vocabulary.contains(id) || (at < is_left_out.size() && is_left_out[at])) continue;
    const std::string_view text = vocabulary.text(static_cast<TokenId>(id));
    if (text.size() > kMaxTokenBytes)
      throw invalid_argument("token {} has {} bytes, at most {} are supported", id, text.size(), kMaxTokenBytes);
    if (!text.empty() && vocabulary.find(text) == id) entries.push_back({text, static_cast<TokenId>(id)});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.text < b.text; });

  // A level is the list of its nodes' entries: those that share the bytes on the way to the node.
  using Range = std::pair<size_t, size_t>;
  nodes_.emplace_back();
  std::vector<Range> level = {{0, entries.size()}}, next;
  uint32_t first_of_level = 0;
  for (size_t depth = 0; !level.empty(); ++depth) {
    next.clear();
    for (size_t i = 0; i < level.size(); ++i) {
      auto [begin, end] = level[i];
      const auto node = first_of_level + static_cast<uint32_t>(i);
      if (begin < end && entries[begin].text.size() == depth) nodes_[node].token = entries[begin++].id;
      nodes_[node].first_child = static_cast<uint32_t>(nodes_.size());
      while (begin < end) {
        const char byte = entries[begin].text[depth];
        size_t same = begin;
        while (same < end && entries[same].text[depth] == byte) ++same;
        next.emplace_back(begin, same);
        ++nodes_[node].children;
        nodes_.push_back({.byte = static_cast<unsigned char>(byte)});
        begin = same;
      }
    }
    first_of_level += static_cast<uint32_t>(level.size());
    level.swap(next);
  }
  nodes_.shrink_to_fit();
}

uint32_t TokenTrie::child(uint32_t node, unsigned char byte) const {
  const auto begin = nodes_.begin() + nodes_[node].first_child, end = begin + nodes_[node].children;
  const auto it = std::lower_bound(begin, end, byte, [](const Node& a, unsigned char b) { return a.byte < b; });
  return it != end && it->byte == byte ? static_cast<uint32_t>(it - nodes_.begin()) : kMissing;
}

uint32_t TokenTrie::find(std::string_view text) const {
  uint32_t node = kRoot;
  for (const char c : text) {
    node = child(node, static_cast<unsigned char>(c));
    if (node == kMissing) break;
  }
  return node;
}

}  // namespace hearth
