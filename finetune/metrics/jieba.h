// A text cut into words as jieba.cut does with its defaults (jieba 0.42.1, cut_all=False, HMM=True): the likeliest path
// through the words of its dictionary, and its hidden Markov model where single characters are left between them.
#pragma once

#include <string_view>
#include <vector>

namespace hearth::metrics {

// The words, in order; together they are the text. Thread-safe.
std::vector<std::u32string_view> jieba_cut(std::u32string_view text);

}  // namespace hearth::metrics
