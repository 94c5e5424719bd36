// What sequences of symbols have in common. A symbol is a code point, or the number of a word (WordNumbers), so one
// arithmetic serves characters and words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hearth::metrics {

// Equal words get equal numbers. The words must outlive it.
class WordNumbers {
 public:
  std::u32string of(const std::vector<std::u32string_view>& words);

 private:
  std::unordered_map<std::u32string_view, char32_t> numbers_;
};

struct NgramMatches {
  int64_t matched = 0, of_first = 0, of_second = 0;
};

// Of all n-grams, an n-gram that both have several times being matched as often as both have it.
NgramMatches match_ngrams(std::u32string_view first, std::u32string_view second, size_t n);
// Of the different ones, each once.
NgramMatches match_distinct_ngrams(std::u32string_view first, std::u32string_view second, size_t n);

// The length of the longest common subsequence.
int64_t common_subsequence(std::u32string_view first, std::u32string_view second);

}  // namespace hearth::metrics
