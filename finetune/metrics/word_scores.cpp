#include "finetune/metrics/word_scores.h"

#include <algorithm>
#include <string>
#include <vector>

#include <utf8proc.h>

#include "finetune/metrics/ngrams.h"
#include "finetune/metrics/text.h"

namespace hearth::metrics {
namespace {

double f_measure(const NgramMatches& m) {
  const double precision = static_cast<double>(m.matched) / static_cast<double>(std::max<int64_t>(m.of_first, 1));
  const double recall = static_cast<double>(m.matched) / static_cast<double>(std::max<int64_t>(m.of_second, 1));
  return m.matched == 0 ? 0 : 100 * (2 * precision * recall / (precision + recall));
}

// In lower case, blanks for all but letters and digits of ASCII.
std::u32string plain(std::u32string_view text) {
  std::u32string out = lower(text);
  std::replace_if(
      out.begin(), out.end(), [](char32_t c) { return !is_ascii_alnum(c); }, U' ');
  return out;
}

bool is_ascii_punctuation(char32_t c) { return c > 0x20 && c < 0x7f && !is_ascii_alnum(c); }

// \w of Python's re: letters, numbers and the underscore (which is gone here).
bool is_of_word(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool is_article(std::u32string_view word) { return word == U"a" || word == U"an" || word == U"the"; }

// re.sub(r"\b(a|an|the)\b", " ", text)
std::u32string without_articles(std::u32string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    const bool of_word = is_of_word(text[at]);
    size_t end = at + 1;
    while (of_word && end < text.size() && is_of_word(text[end])) ++end;
    const std::u32string_view part = text.substr(at, end - at);
    out += is_article(part) ? U" " : part;
    at = end;
  }
  return out;
}

std::u32string normalized(std::u32string_view text) {
  std::u32string plain_text = lower(text);
  std::erase_if(plain_text, is_ascii_punctuation);
  return without_articles(plain_text);
}

}  // namespace

WordRouge word_rouge(std::u32string_view predict, std::u32string_view label) {
  const std::u32string a_text = plain(predict), b_text = plain(label);
  WordNumbers numbers;
  const std::u32string a = numbers.of(split_at_space(a_text)), b = numbers.of(split_at_space(b_text));
  return {
      .rouge_1 = f_measure(match_ngrams(a, b, 1)),
      .rouge_2 = f_measure(match_ngrams(a, b, 2)),
      .rouge_l = f_measure({common_subsequence(a, b), static_cast<int64_t>(a.size()), static_cast<int64_t>(b.size())})};
}

SquadScores squad_scores(std::u32string_view predict, std::u32string_view label) {
  const std::u32string a_text = normalized(predict), b_text = normalized(label);
  WordNumbers numbers;
  const std::u32string a = numbers.of(split_at_space(a_text)), b = numbers.of(split_at_space(b_text));
  SquadScores out{.exact_match = a == b ? 100.0 : 0.0};
  out.f1 = a.empty() || b.empty() ? out.exact_match : f_measure(match_ngrams(a, b, 1));
  return out;
}

}  // namespace hearth::metrics
