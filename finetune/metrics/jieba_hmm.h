// The part of jieba that knows no words (its finalseg): cuts runs of characters by a hidden Markov model.
#pragma once

#include <string_view>
#include <vector>

namespace hearth::metrics {

// What jieba takes for a Chinese character.
inline bool is_han(char32_t c) { return c >= 0x4e00 && c <= 0x9fd5; }

// Appends the words of `text` to `words`.
void cut_by_model(std::u32string_view text, std::vector<std::u32string_view>& words);

}  // namespace hearth::metrics
