// Rewrites a text before it is cut into pieces: the normalizer section of tokenizer.json. Source: the `tokenizers`
// library, normalizers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/regex.h"

namespace hearth {

// A text and, if wanted, where each of its bytes came from.
struct NormalizedText {
  std::string text;
  bool aligned = false;        // whether `origin` is kept
  std::vector<size_t> origin;  // [text.size() + 1] byte of the original text; not decreasing
  bool lost_begin = false;     // what the original text begins with is gone, without a replacement
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(NormalizedText& text) const = 0;
};

std::unique_ptr<Normalizer> make_nfc();
std::unique_ptr<Normalizer> make_nfd();
std::unique_ptr<Normalizer> make_nfkc();
std::unique_ptr<Normalizer> make_nfkd();
std::unique_ptr<Normalizer> make_lowercase();
// Removes marks; letters that were composed with them stay unless NFD or NFKD came before.
std::unique_ptr<Normalizer> make_strip_accents();
// Removes whitespace at the ends.
std::unique_ptr<Normalizer> make_strip(bool left, bool right);
// Nmt: removes control characters, and turns what looks like a space into one.
std::unique_ptr<Normalizer> make_nmt();
// ByteLevel: bytes as byte_level.h spells them.
std::unique_ptr<Normalizer> make_byte_level_normalizer();
// Puts `prefix` before a text that is not empty.
std::unique_ptr<Normalizer> make_prepend(const std::string& prefix);
// Replaces every match of a regular expression, or every occurrence of a string.
std::unique_ptr<Normalizer> make_replace(const std::string& pattern, bool is_regex, const std::string& content);
std::unique_ptr<Normalizer> make_normalizer_sequence(std::vector<std::unique_ptr<Normalizer>> steps);

// `text` as a text to normalise; with `aligned` its bytes are numbered from 0.
NormalizedText to_normalize(std::string_view text, bool aligned);

}  // namespace hearth
