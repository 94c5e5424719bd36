#include "finetune/metrics/jieba.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "finetune/metrics/jieba_data.h"
#include "finetune/metrics/jieba_hmm.h"
#include "finetune/metrics/text.h"

namespace hearth::metrics {
namespace {

// The words of the dictionary that begin with what was read so far.
class Prefix {
 public:
  explicit Prefix(const JiebaData& data) : data_(data), end_(static_cast<uint32_t>(data.frequencies.size())) {}

  // False when no word goes on with it.
  bool read(char32_t c) {
    const auto at = [&](uint32_t word) {
      const std::u16string_view text = data_.word(word);
      return text.size() > length_ ? static_cast<int64_t>(text[length_]) : -1;
    };
    begin_ = first(begin_, end_, [&](uint32_t word) { return at(word) >= static_cast<int64_t>(c); });
    end_ = first(begin_, end_, [&](uint32_t word) { return at(word) > static_cast<int64_t>(c); });
    ++length_;
    return begin_ < end_;
  }
  // What was read, when it is a word: the shortest of those it begins.
  uint32_t frequency() const {
    return begin_ < end_ && data_.word(begin_).size() == length_ ? data_.frequencies[begin_] : 0;
  }

 private:
  // The first of [begin, end) that is so, where all behind it are.
  template <class Is>
  static uint32_t first(uint32_t begin, uint32_t end, Is is) {
    while (begin < end) {
      const uint32_t middle = begin + (end - begin) / 2;
      if (is(middle)) {
        end = middle;
      } else {
        begin = middle + 1;
      }
    }
    return begin;
  }

  const JiebaData& data_;
  uint32_t begin_ = 0, end_;
  size_t length_ = 0;
};

// Where the likeliest path's word from each place ends.
std::vector<size_t> likeliest_ends(std::u32string_view text) {
  const JiebaData& data = jieba_data();
  const double total = std::log(static_cast<double>(data.total));
  std::vector<double> scores(text.size() + 1);
  std::vector<size_t> ends(text.size());
  for (size_t begin = text.size(); begin-- > 0;) {
    std::optional<double> best;
    const auto consider = [&](size_t end, uint32_t frequency) {
      const double score = std::log(static_cast<double>(frequency)) - total + scores[end];
      if (best && score < *best) return;  // of equal ones the longer word
      best = score;
      ends[begin] = end;
    };
    Prefix prefix(data);
    for (size_t end = begin + 1; end <= text.size() && prefix.read(text[end - 1]); ++end)
      if (const uint32_t frequency = prefix.frequency(); frequency > 0) consider(end, frequency);
    if (!best) consider(begin + 1, 1);
    scores[begin] = *best;
  }
  return ends;
}

bool is_word(std::u32string_view text) {
  Prefix prefix(jieba_data());
  for (const char32_t c : text)
    if (!prefix.read(c)) return false;
  return prefix.frequency() > 0;
}

void cut_block(std::u32string_view block, std::vector<std::u32string_view>& words) {
  const std::vector<size_t> ends = likeliest_ends(block);
  size_t singles = 0;  // where the run of single characters before `begin` begins
  const auto cut_singles = [&](size_t end) {
    const std::u32string_view run = block.substr(singles, end - singles);
    if (run.size() > 1 && !is_word(run)) return cut_by_model(run, words);
    for (size_t i = 0; i < run.size(); ++i) words.push_back(run.substr(i, 1));
  };
  size_t begin = 0;
  while (begin < block.size()) {
    const size_t end = ends[begin];
    if (end - begin > 1) {
      cut_singles(begin);
      words.push_back(block.substr(begin, end - begin));
      singles = end;
    }
    begin = end;
  }
  cut_singles(begin);
}

bool is_of_block(char32_t c) {
  return is_han(c) || is_ascii_alnum(c) || c == '+' || c == '#' || c == '&' || c == '.' || c == '_' || c == '%' ||
         c == '-';
}

}  // namespace

std::vector<std::u32string_view> jieba_cut(std::u32string_view text) {
  std::vector<std::u32string_view> words;
  while (!text.empty()) {
    size_t length = 0;
    while (length < text.size() && is_of_block(text[length])) ++length;
    if (length > 0) {
      cut_block(text.substr(0, length), words);
    } else {
      length = text.starts_with(U"\r\n") ? 2 : 1;
      words.push_back(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return words;
}

}  // namespace hearth::metrics
