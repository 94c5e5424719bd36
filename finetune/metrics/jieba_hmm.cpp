#include "finetune/metrics/jieba_hmm.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "finetune/metrics/jieba_data.h"
#include "finetune/metrics/text.h"

namespace hearth::metrics {
namespace {

constexpr StateScores kUnknown = {-3.14e100, -3.14e100, -3.14e100, -3.14e100};
// Which states may stand before a state; of two equally likely ones the first.
constexpr std::array<std::array<JiebaState, 2>, 4> kBefore = {
    {{kSingle, kEnd}, {kMiddle, kBegin}, {kMiddle, kBegin}, {kSingle, kEnd}}};

const StateScores& emission(const JiebaData& data, char32_t c) {
  const auto found = std::lower_bound(data.emitting.begin(), data.emitting.end(), c);
  if (found == data.emitting.end() || *found != c) return kUnknown;
  return data.emission[static_cast<size_t>(found - data.emitting.begin())];
}

// The likeliest states of the characters (Viterbi).
std::vector<JiebaState> likeliest_states(std::u32string_view text) {
  const JiebaData& data = jieba_data();
  std::vector<std::array<JiebaState, 4>> before(text.size());
  StateScores scores = data.start;
  for (size_t s = 0; s < 4; ++s) scores[s] += emission(data, text[0])[s];
  for (size_t i = 1; i < text.size(); ++i) {
    const StateScores& emitted = emission(data, text[i]);
    StateScores next;
    for (size_t s = 0; s < 4; ++s) {
      const auto through = [&](JiebaState from) { return scores[from] + data.transition[from][s] + emitted[s]; };
      const auto [first, second] = kBefore[s];
      before[i][s] = through(second) > through(first) ? second : first;
      next[s] = through(before[i][s]);
    }
    scores = next;
  }
  std::vector<JiebaState> states(text.size());
  states.back() = scores[kEnd] > scores[kSingle] ? kEnd : kSingle;
  for (size_t i = text.size() - 1; i > 0; --i) states[i - 1] = before[i][states[i]];
  return states;
}

void cut_han(std::u32string_view text, std::vector<std::u32string_view>& words) {
  const std::vector<JiebaState> states = likeliest_states(text);
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (states[i] != kEnd && states[i] != kSingle) continue;
    words.push_back(text.substr(begin, i + 1 - begin));
    begin = i + 1;
  }
}

// The length of what jieba keeps together at the beginning of `text`: letters and digits, a fraction behind them, a
// percent sign. 0: nothing.
size_t length_of_number(std::u32string_view text) {
  const auto run = [&](size_t at, bool (*belongs)(char32_t)) {
    while (at < text.size() && belongs(text[at])) ++at;
    return at;
  };
  size_t end = run(0, is_ascii_alnum);
  if (end == 0) return 0;
  if (end < text.size() && text[end] == '.')
    if (const size_t fraction = run(end + 1, is_ascii_digit); fraction > end + 1) end = fraction;
  return end < text.size() && text[end] == '%' ? end + 1 : end;
}

void cut_other(std::u32string_view text, std::vector<std::u32string_view>& words) {
  while (!text.empty()) {
    size_t length = length_of_number(text);
    if (length == 0)
      while (length < text.size() && !is_ascii_alnum(text[length])) ++length;
    words.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
}

}  // namespace

void cut_by_model(std::u32string_view text, std::vector<std::u32string_view>& words) {
  while (!text.empty()) {
    const bool han = is_han(text.front());
    const auto end = std::find_if(text.begin(), text.end(), [&](char32_t c) { return is_han(c) != han; });
    const auto block = text.substr(0, static_cast<size_t>(end - text.begin()));
    (han ? cut_han : cut_other)(block, words);
    text.remove_prefix(block.size());
  }
}

}  // namespace hearth::metrics
