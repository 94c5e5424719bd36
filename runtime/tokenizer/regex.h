// Regular expressions of tokenizer files (written for Oniguruma) on PCRE2: JIT, UTF, Unicode properties, and a limit on
// backtracking, since both the pattern and the text are untrusted. Immutable and safe to share between threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/base/byte_range.h"

struct pcre2_real_code_8;

namespace hearth {

class Regex {
 public:
  // Throws kDataCorruption with the pattern, the place and PCRE2's reason.
  explicit Regex(const std::string& pattern);

  // The first match in text[from, end), or nothing. The text must be valid UTF-8 and `from` the start of a character.
  // Throws kResourceExhausted when the match limit is reached.
  std::optional<ByteRange> find(std::string_view text, size_t from) const;

 private:
  std::string pattern_;
  std::shared_ptr<pcre2_real_code_8> code_;
  bool jit_ = false;
};

}  // namespace hearth
