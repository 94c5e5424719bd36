// Tokens that are recognised in the text itself, before any model sees it: control tokens ("<|im_end|>") and others
// that a tokenizer adds. The longest match at the leftmost place wins. Source: AddedVocabulary of the `tokenizers`
// library.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/byte_range.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

struct AddedToken {
  std::string content;
  TokenId id = 0;
  bool special = false;      // a control token: left out when decoding, not recognised in literal ranges
  bool lstrip = false;       // swallows the whitespace before it
  bool rstrip = false;       // and behind it
  bool single_word = false;  // only where no word character touches it
  bool normalized = false;   // sought in the normalised text
};

// A part of a text: an added token, or (id < 0) what lies between.
struct TextPart {
  ByteRange range;
  TokenId id = -1;
};

class AddedTokenMatcher {
 public:
  AddedTokenMatcher() = default;
  // `tokens` of empty content are ignored; of two with one content the later counts.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  bool empty() const { return tokens_.empty(); }
  bool has_special() const;

  // Cuts `text` into parts, in order; they cover it except for nothing. A special token counts only if
  // allows_special(range of its content); what it forbids is treated as if there were no such token.
  template <class AllowsSpecial>
  void split(std::string_view text, AllowsSpecial&& allows_special, std::vector<TextPart>& parts) const {
    size_t done = 0;
    ByteRange space;  // the whitespace that was swallowed last behind a token
    for (size_t at = next_start(text, 0); at < text.size();) {
      const AddedToken* token = nullptr;
      size_t end = at;
      for_each_match(text, at, [&](const AddedToken& candidate, size_t candidate_end) {
        if (candidate.special && !allows_special(ByteRange{at, candidate_end})) return;
        token = &candidate;
        end = candidate_end;
      });
      if (token == nullptr) {
        at = next_start(text, at + 1);
        continue;
      }
      ByteRange range{at, end};
      at = next_start(text, end);  // also within whitespace that rstrip swallows
      if (token->single_word && !is_whole_word(text, range)) continue;
      if (token->lstrip) range.begin = strip_before(text, range.begin, done);
      if (token->rstrip) {
        if (end < space.begin || end > space.end) space = {end, strip_after(text, end)};
        range.end = space.end;
      }
      if (range.begin > done) parts.push_back({{done, range.begin}});
      parts.push_back({range, token->id});
      done = range.end;
    }
    if (done < text.size()) parts.push_back({{done, text.size()}});
  }

 private:
  struct Node {
    std::vector<std::pair<unsigned char, uint32_t>> children;  // by byte
    int32_t token = -1;                                        // index in tokens_
  };

  size_t next_start(std::string_view text, size_t from) const {
    while (from < text.size() && !starts_[static_cast<unsigned char>(text[from])]) ++from;
    return from;
  }
  const uint32_t* child(const Node& node, unsigned char byte) const;
  // fn(token, end) for every token that the text spells at `at`, shortest first.
  template <class Fn>
  void for_each_match(std::string_view text, size_t at, Fn&& fn) const {
    const Node* node = &nodes_[0];
    for (size_t pos = at; pos < text.size(); ++pos) {
      const uint32_t* next = child(*node, static_cast<unsigned char>(text[pos]));
      if (next == nullptr) return;
      node = &nodes_[*next];
      if (node->token >= 0) fn(tokens_[static_cast<size_t>(node->token)], pos + 1);
    }
  }
  static bool is_whole_word(std::string_view text, const ByteRange& range);
  // Where the whitespace before `pos` begins, or `limit`.
  static size_t strip_before(std::string_view text, size_t pos, size_t limit);
  static size_t strip_after(std::string_view text, size_t pos);

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::array<bool, 256> starts_{};  // bytes with which a token begins
};

}  // namespace hearth
