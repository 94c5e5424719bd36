// jieba's dictionary and hidden Markov model as make_jieba_data.py laid them out in the program: read where they lie,
// so nothing is loaded before the first word is looked up.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace hearth::metrics {

// Of the hidden Markov model: where a character stands in its word.
enum JiebaState { kBegin, kMiddle, kEnd, kSingle };
using StateScores = std::array<double, 4>;  // logarithms, by state

struct JiebaData {
  uint64_t total;                         // of all frequencies
  std::span<const uint32_t> begins;       // of each word in `characters`, in their order; one more than words
  std::span<const uint32_t> frequencies;  // of each word
  std::u16string_view characters;
  StateScores start;
  std::span<const StateScores> transition;  // from, to
  std::u16string_view emitting;             // characters that the model knows, in order
  std::span<const StateScores> emission;    // of each

  std::u16string_view word(uint32_t index) const {
    return characters.substr(begins[index], begins[index + 1] - begins[index]);
  }
};

const JiebaData& jieba_data();

}  // namespace hearth::metrics
