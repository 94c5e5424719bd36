#include "finetune/metrics/sacrebleu.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include "finetune/metrics/ngrams.h"
#include "finetune/metrics/text.h"

namespace hearth::metrics {
namespace {

// ASCII's punctuation without ' , - .
bool stands_alone(char32_t c) {
  return c < 0x7f && c > 0x20 && !is_ascii_alnum(c) && c != '\'' && c != ',' && c != '-' && c != '.';
}

bool is_point(char32_t c) { return c == '.' || c == ','; }

// Python's re.sub of every pair of neighbours, from the left and without overlaps: first, second -> BEFORE first MIDDLE
// second AFTER.
struct PairRule {
  bool (*first)(char32_t);
  bool (*second)(char32_t);
  std::u32string_view before, middle, after;
};

bool is_no_digit(char32_t c) { return !is_ascii_digit(c); }
bool is_dash(char32_t c) { return c == '-'; }

constexpr PairRule kRules[] = {{is_no_digit, is_point, U"", U" ", U" "},
                               {is_point, is_no_digit, U" ", U" ", U""},
                               {is_ascii_digit, is_dash, U"", U" ", U" "}};

std::u32string rewritten(const PairRule& rule, std::u32string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (at + 1 == text.size() || !rule.first(text[at]) || !rule.second(text[at + 1])) {
      out += text[at];
      continue;
    }
    out += rule.before;
    out += text[at++];
    out += rule.middle;
    out += text[at];
    out += rule.after;
  }
  return out;
}

constexpr double kLogOfZero = -9999999999.0;

double bleu(const BleuCounts& counts, bool effective_order) {
  const auto predicted = static_cast<double>(counts.predict_length), label = static_cast<double>(counts.label_length);
  double penalty = 1;
  if (predicted < label) penalty = predicted > 0 ? std::exp(1 - label / predicted) : 0;
  double sum = 0, smoothing = 1;
  size_t orders = 0;
  bool any = false;
  for (; orders < 4 && counts.predicted[orders] > 0; ++orders) {
    const auto of = static_cast<double>(counts.predicted[orders]);
    const auto matched = static_cast<double>(counts.matched[orders]);
    any = any || matched > 0;
    if (matched == 0) smoothing *= 2;
    sum += std::log(matched == 0 ? 100 / (smoothing * of) : 100 * matched / of);
  }
  if (!any) return 0;
  if (!effective_order) {
    sum += static_cast<double>(4 - orders) * kLogOfZero;
    orders = 4;
  }
  return penalty * std::exp(sum / static_cast<double>(orders));
}

}  // namespace

std::u32string tokenize_13a(std::u32string_view text) {
  std::u32string line = replace_all(strip_end(text), U"<skipped>", U"");
  line = replace_all(line, U"-\n", U"");
  line = replace_all(line, U"\n", U" ");
  line = replace_all(line, U"&quot;", U"\"");
  line = replace_all(line, U"&amp;", U"&");
  line = replace_all(line, U"&lt;", U"<");
  line = replace_all(line, U"&gt;", U">");
  std::u32string apart = U" ";
  for (const char32_t c : line) {
    if (stands_alone(c)) {
      apart += {U' ', c, U' '};
    } else {
      apart += c;
    }
  }
  apart += U' ';
  for (const PairRule& rule : kRules) apart = rewritten(rule, apart);
  std::u32string out;
  for (const std::u32string_view word : split_at_space(apart)) {
    if (!out.empty()) out += U' ';
    out += word;
  }
  return out;
}

void BleuCounts::add(const BleuCounts& other) {
  for (size_t n = 0; n < matched.size(); ++n) {
    matched[n] += other.matched[n];
    predicted[n] += other.predicted[n];
  }
  predict_length += other.predict_length;
  label_length += other.label_length;
}

BleuCounts bleu_counts(std::u32string_view predict, std::u32string_view label) {
  const std::u32string a_text = tokenize_13a(predict), b_text = tokenize_13a(label);
  WordNumbers numbers;
  const std::u32string a = numbers.of(split_at_space(a_text)), b = numbers.of(split_at_space(b_text));
  BleuCounts counts{.predict_length = static_cast<int64_t>(a.size()), .label_length = static_cast<int64_t>(b.size())};
  for (size_t n = 0; n < counts.matched.size(); ++n) {
    const NgramMatches m = match_ngrams(a, b, n + 1);
    counts.matched[n] = m.matched;
    counts.predicted[n] = m.of_first;
  }
  return counts;
}

double corpus_bleu(const BleuCounts& counts) { return bleu(counts, /*effective_order=*/false); }
double sentence_bleu(const BleuCounts& counts) { return bleu(counts, /*effective_order=*/true); }

}  // namespace hearth::metrics
