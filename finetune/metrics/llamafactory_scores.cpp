#include "finetune/metrics/llamafactory_scores.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "finetune/metrics/jieba.h"
#include "finetune/metrics/ngrams.h"
#include "finetune/metrics/text.h"

namespace hearth::metrics {
namespace {

// Python's round(100 * share, 4): of the exact binary value, ties to even.
double percent(double share) { return std::stod(fmt::format("{:.4f}", share * 100)); }

// Geometric mean of the precisions; an order without a match counts as 1 / 2^k matches, k the how manieth it is.
double bleu_4(std::u32string_view predict, std::u32string_view label) {
  double sum = 0, share = 1;
  for (size_t n = 1; n <= 4; ++n) {
    const NgramMatches m = match_ngrams(predict, label, n);
    if (n == 1 && m.matched == 0) return 0;
    if (m.matched == 0) share /= 2;
    const double matched = m.matched > 0 ? static_cast<double>(m.matched) : share;
    sum += 0.25 * std::log(matched / static_cast<double>(std::max<int64_t>(m.of_first, 1)));
  }
  const double ratio = static_cast<double>(label.size()) / static_cast<double>(predict.size());
  return (predict.size() > label.size() ? 1.0 : std::exp(1 - ratio)) * std::exp(sum);
}

// Puts a line break behind each `mark` that another character than those of `unless` follows; both are passed then, as
// by Python's re.sub.
std::u32string break_behind(std::u32string_view text, size_t (*mark)(std::u32string_view), std::u32string_view unless) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    const size_t length = mark(text.substr(at));
    const size_t next = at + length;
    if (length == 0 || next >= text.size() || unless.find(text[next]) != std::u32string_view::npos) {
      out += text[at++];
      continue;
    }
    out += text.substr(at, length);
    out += U'\n';
    out += text[next];
    at = next + 1;
  }
  return out;
}

constexpr std::u32string_view kEnds = U"。！？?", kQuotes = U"”’";

bool begins_with_one_of(std::u32string_view text, std::u32string_view characters) {
  return !text.empty() && characters.find(text.front()) != std::u32string_view::npos;
}
size_t end_of_sentence(std::u32string_view text) { return begins_with_one_of(text, kEnds) ? 1 : 0; }
size_t six_dots(std::u32string_view text) { return text.starts_with(U"......") ? 6 : 0; }
size_t ellipsis(std::u32string_view text) { return text.starts_with(U"……") ? 2 : 0; }
size_t quoted_end(std::u32string_view text) {
  return begins_with_one_of(text, kEnds) && begins_with_one_of(text.substr(1), kQuotes) ? 2 : 0;
}

std::u32string in_sentences(std::u32string_view text) {
  std::u32string lines = break_behind(text, end_of_sentence, kQuotes);
  lines = break_behind(lines, six_dots, kQuotes);
  lines = break_behind(lines, ellipsis, kQuotes);
  lines = break_behind(lines, quoted_end, U"，。！？?");
  return std::u32string(strip_end(lines));
}

// Of the sentences of `lines`; one of white space alone has an empty word.
std::vector<std::u32string_view> words_of(std::u32string_view lines) {
  std::vector<std::u32string_view> words;
  for (bool more = true; more;) {
    const size_t end = lines.find(U'\n');
    const std::u32string_view line = lines.substr(0, end);
    more = end != std::u32string_view::npos;
    if (more) lines.remove_prefix(end + 1);
    if (line.empty()) continue;
    const std::vector<std::u32string_view> parts = split_at_space(line);
    if (parts.empty()) words.emplace_back();
    words.insert(words.end(), parts.begin(), parts.end());
  }
  return words;
}

std::u32string joined(const std::vector<std::u32string_view>& words) {
  std::u32string out;
  for (const std::u32string_view word : words) {
    if (!out.empty()) out += U' ';
    out += word;
  }
  return out;
}

double f_score(const NgramMatches& m) {
  const auto share = [&](int64_t of) { return of == 0 ? 0 : static_cast<double>(m.matched) / static_cast<double>(of); };
  const double precision = share(m.of_first), recall = share(m.of_second);
  return 2 * (precision * recall / (precision + recall + 1e-8));
}

}  // namespace

LlamaFactoryScores llamafactory_scores(std::u32string_view predict, std::u32string_view label) {
  LlamaFactoryScores out;
  if (!predict.empty()) out.bleu_4 = percent(bleu_4(predict, label));
  const std::u32string a_text = in_sentences(joined(jieba_cut(predict)));
  const std::u32string b_text = in_sentences(joined(jieba_cut(label)));
  if (a_text.empty() || b_text.empty()) return out;
  WordNumbers numbers;
  const std::u32string a = numbers.of(words_of(a_text)), b = numbers.of(words_of(b_text));
  out.rouge_1 = percent(f_score(match_distinct_ngrams(a, b, 1)));
  out.rouge_2 = percent(f_score(match_distinct_ngrams(a, b, 2)));
  out.rouge_l =
      percent(f_score({common_subsequence(a, b), static_cast<int64_t>(a.size()), static_cast<int64_t>(b.size())}));
  return out;
}

}  // namespace hearth::metrics
