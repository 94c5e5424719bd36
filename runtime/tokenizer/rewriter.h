// Builds the output of a normaliser beside its input, and keeps where its bytes came from.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "runtime/tokenizer/normalizer.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {

class Rewriter {
 public:
  explicit Rewriter(NormalizedText& text) : in_(text) { out_.text.reserve(text.text.size() + 16); }

  void copy(size_t begin, size_t end) {
    if (begin == end) return;
    note_begin(begin);
    out_.text.append(in_.text, begin, end - begin);
    if (in_.aligned) out_.origin.insert(out_.origin.end(), in_.origin.begin() + begin, in_.origin.begin() + end);
  }
  // `content` stands for what began at `begin`.
  void put(std::string_view content, size_t begin) {
    if (content.empty()) return;
    note_begin(begin);
    out_.text.append(content);
    if (in_.aligned) out_.origin.insert(out_.origin.end(), content.size(), in_.origin[begin]);
  }
  void put(char32_t code_point, size_t begin) {
    scratch_.clear();
    utf8::append(scratch_, code_point);
    put(scratch_, begin);
  }
  void finish() {
    if (in_.aligned) out_.origin.push_back(in_.origin.back());
    in_.text = std::move(out_.text);
    in_.origin = std::move(out_.origin);
  }

 private:
  void note_begin(size_t begin) {
    if (out_.text.empty() && begin > 0) in_.lost_begin = true;
  }

  NormalizedText& in_;
  NormalizedText out_;
  std::string scratch_;
};

// A normaliser that rewrites character by character: fn(code point, out, begin) puts what becomes of each.
template <class Fn>
class CharacterNormalizer : public Normalizer {
 public:
  explicit CharacterNormalizer(Fn fn) : fn_(std::move(fn)) {}
  void apply(NormalizedText& text) const override {
    Rewriter out(text);
    const std::string_view in = text.text;
    for (size_t pos = 0; pos < in.size();) {
      const size_t begin = pos;
      fn_(utf8::decode(in, pos), out, begin);
    }
    out.finish();
  }

 private:
  Fn fn_;
};

}  // namespace hearth
