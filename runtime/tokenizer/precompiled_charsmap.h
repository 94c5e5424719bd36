// Sentencepiece's compiled normalisation rules, the Precompiled normaliser of tokenizer.json: a double-array trie of
// what is replaced and the NUL-terminated texts it is replaced by. Source: darts-clone (double_array.h),
// sentencepiece's normalizer.cc, and the `tokenizers` library, normalizers/precompiled, whose choice of what is looked
// up this follows: a grapheme of fewer than six bytes as a whole, else character by character; the shortest match
// decides and stands for all that was looked up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/normalizer.h"

namespace hearth {

class PrecompiledCharsmap : public Normalizer {
 public:
  // `blob` is { uint32 bytes of the trie; the trie's uint32 units; texts }, little endian. Throws kDataCorruption when
  // it is cut off or its texts are not UTF-8.
  explicit PrecompiledCharsmap(std::string_view blob);

  void apply(NormalizedText& text) const override;

  // What stands for `text`, if anything does.
  std::optional<std::string_view> replacement(std::string_view text) const;

 private:
  std::vector<uint32_t> units_;
  std::string texts_;
};

}  // namespace hearth
