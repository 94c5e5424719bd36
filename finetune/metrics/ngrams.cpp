#include "finetune/metrics/ngrams.h"

#include <algorithm>
#include <bit>

namespace hearth::metrics {
namespace {

using Counts = std::unordered_map<std::u32string_view, int64_t>;

Counts count_ngrams(std::u32string_view text, size_t n) {
  Counts counts;
  for (size_t at = 0; at + n <= text.size(); ++at) ++counts[text.substr(at, n)];
  return counts;
}

int64_t number_of_ngrams(std::u32string_view text, size_t n) {
  return text.size() < n ? 0 : static_cast<int64_t>(text.size() - n + 1);
}

// sum, and the carry out of it, which goes in too.
uint64_t add(uint64_t a, uint64_t b, uint64_t& carry) {
  const uint64_t partial = a + b, sum = partial + carry;
  carry = (partial < a || sum < partial) ? 1 : 0;
  return sum;
}

}  // namespace

std::u32string WordNumbers::of(const std::vector<std::u32string_view>& words) {
  std::u32string out;
  out.reserve(words.size());
  for (const std::u32string_view word : words)
    out += numbers_.try_emplace(word, static_cast<char32_t>(numbers_.size())).first->second;
  return out;
}

NgramMatches match_ngrams(std::u32string_view first, std::u32string_view second, size_t n) {
  NgramMatches out{0, number_of_ngrams(first, n), number_of_ngrams(second, n)};
  const Counts counts = count_ngrams(second, n);
  for (const auto& [ngram, count] : count_ngrams(first, n))
    if (const auto found = counts.find(ngram); found != counts.end()) out.matched += std::min(count, found->second);
  return out;
}

NgramMatches match_distinct_ngrams(std::u32string_view first, std::u32string_view second, size_t n) {
  const Counts a = count_ngrams(first, n), b = count_ngrams(second, n);
  NgramMatches out{0, static_cast<int64_t>(a.size()), static_cast<int64_t>(b.size())};
  for (const auto& [ngram, count] : a) out.matched += b.contains(ngram);
  return out;
}

// Bit-parallel (Hyyrö 2004): the zeros of `row` are the places of `first` at which the length of the common
// subsequence with what was seen of `second` grows. Bits behind the end match nothing and stay ones.
int64_t common_subsequence(std::u32string_view first, std::u32string_view second) {
  std::unordered_map<char32_t, std::vector<size_t>> places;
  for (size_t i = 0; i < first.size(); ++i) places[first[i]].push_back(i);
  const size_t words = (first.size() + 63) / 64;
  std::vector<uint64_t> row(words, ~uint64_t{0}), equal(words);
  for (const char32_t symbol : second) {
    const auto found = places.find(symbol);
    if (found == places.end()) continue;
    for (const size_t i : found->second) equal[i / 64] |= uint64_t{1} << (i % 64);
    uint64_t carry = 0;
    for (size_t w = 0; w < words; ++w) {
      const uint64_t matches = row[w] & equal[w];
      row[w] = add(row[w], matches, carry) | (row[w] & ~matches);
    }
    for (const size_t i : found->second) equal[i / 64] = 0;
  }
  int64_t length = 0;
  for (const uint64_t bits : row) length += std::popcount(~bits);
  return length;
}

}  // namespace hearth::metrics
