#include "runtime/grammar/json_text.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/grammar/automaton.h"

namespace hearth::json_text {
namespace {

using namespace grammar;

constexpr double kMostBound = 1e15;
constexpr int64_t kMostDigits = 16, kMostDecimals = 20;  // more only keeps a model from ending

CharSet digits_from(char first, char last) { return {{static_cast<char32_t>(first), static_cast<char32_t>(last)}}; }
Expr digit(char first = '0', char last = '9') { return chars(digits_from(first, last)); }

// The characters that are not plain, one by one.
Expr escape_of(char32_t c) {
  switch (c) {
    case '"':
      return text("\\\"");
    case '\\':
      return text("\\\\");
    case '\b':
      return text("\\b");
    case '\f':
      return text("\\f");
    case '\n':
      return text("\\n");
    case '\r':
      return text("\\r");
    case '\t':
      return text("\\t");
    default:
      return text(fmt::format("\\u{:04x}", static_cast<uint32_t>(c)));
  }
}

Expr escaped_chars(const CharSet& set) {
  std::vector<Expr> alternatives;
  if (CharSet plain = set.intersection(plain_string_chars()); !plain.empty())
    alternatives.push_back(chars(std::move(plain)));
  const CharSet others = set.intersection(plain_string_chars().complement());
  for (const CharSet::Range& range : others.ranges())
    for (char32_t c = range.first; c <= range.last; ++c) alternatives.push_back(escape_of(c));
  return choice(std::move(alternatives));
}

// Any character, any of its spellings; half a surrogate pair is none.
const Expr& any_char() {
  static const Expr kAny = [] {
    const CharSet hex{{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
    const Expr h = chars(hex), d{chars({{'D', 'D'}, {'d', 'd'}})};
    const Expr high = sequence({text("\\u"), d, chars({{'8', '9'}, {'A', 'B'}, {'a', 'b'}}), h, h});
    const Expr low = sequence({text("\\u"), d, chars({{'C', 'F'}, {'c', 'f'}}), h, h});
    const Expr other = sequence(
        {text("\\u"), choice({sequence({chars({{'0', '9'}, {'A', 'C'}, {'a', 'c'}, {'E', 'F'}, {'e', 'f'}}), h, h, h}),
                              sequence({d, chars({{'0', '7'}}), h, h})})});
    const Expr letter = sequence(
        {text("\\"),
         chars({{'"', '"'}, {'/', '/'}, {'\\', '\\'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}})});
    return choice({chars(plain_string_chars()), letter, other, sequence({high, low})});
  }();
  return kAny;
}

// Digits in steps of one: whole numbers from `low` to `high`, written with as many digits as both have.
Expr same_length_range(const std::string& low, const std::string& high) {
  if (low.empty()) return sequence({});
  if (low == std::string(low.size(), '0') && high == std::string(high.size(), '9'))
    return repeat(digit(), static_cast<int64_t>(low.size()), static_cast<int64_t>(low.size()));
  const std::string low_rest = low.substr(1), high_rest = high.substr(1);
  if (low[0] == high[0]) return sequence({digit(low[0], low[0]), same_length_range(low_rest, high_rest)});
  const std::string zeros(low_rest.size(), '0'), nines(low_rest.size(), '9');
  std::vector<Expr> alternatives = {sequence({digit(low[0], low[0]), same_length_range(low_rest, nines)}),
                                    sequence({digit(high[0], high[0]), same_length_range(zeros, high_rest)})};
  if (high[0] - low[0] > 1)
    alternatives.push_back(sequence(
        {digit(static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1)), same_length_range(zeros, nines)}));
  return choice(std::move(alternatives));
}

// 0 <= low <= high
Expr whole_range(int64_t low, int64_t high) {
  std::vector<Expr> alternatives;
  const std::string last = std::to_string(high);
  for (std::string first = std::to_string(low); first.size() <= last.size();
       first = "1" + std::string(first.size(), '0')) {
    alternatives.push_back(
        same_length_range(first, first.size() == last.size() ? last : std::string(first.size(), '9')));
  }
  return choice(std::move(alternatives));
}

Expr whole_from(int64_t low) {
  const std::string first = std::to_string(low);
  const auto more = static_cast<int64_t>(first.size());
  return choice({whole_range(low, std::stoll(std::string(first.size(), '9'))),
                 sequence({digit('1', '9'), repeat(digit(), more, std::max(more, kMostDigits))})});
}

struct Decimal {
  int64_t whole;
  std::string fraction;  // without zeros at its end
};

// Of a value that is not negative.
Decimal decimal_of(double value) {
  if (value > kMostBound) throw invalid_argument("a bound of more than 10^15 is not supported");
  std::string text = fmt::format("{}", value);
  if (text.find('e') != std::string::npos) text = fmt::format("{:.20f}", value);
  const size_t point = text.find('.');
  Decimal out{std::stoll(text.substr(0, point)), point == std::string::npos ? "" : text.substr(point + 1)};
  while (!out.fraction.empty() && out.fraction.back() == '0') out.fraction.pop_back();
  return out;
}

Expr any_decimals() { return repeat(digit(), 0, kMostDecimals); }

// Digits behind a point (at least one), read as 0.xxx: less than 0.`bound`, or equal where `closed`.
Expr fraction_up_to(const std::string& bound, bool closed) {
  std::vector<Expr> alternatives;
  for (size_t i = 0; i < bound.size(); ++i) {
    if (bound[i] > '0')
      alternatives.push_back(
          sequence({text(bound.substr(0, i)), digit('0', static_cast<char>(bound[i] - 1)), any_decimals()}));
    if (i > 0) alternatives.push_back(text(bound.substr(0, i)));  // shorter, and so less or equal: bound ends with no 0
  }
  if (closed)
    alternatives.push_back(sequence({text(bound), repeat(digit('0', '0'), bound.empty() ? 1 : 0, kMostDecimals)}));
  return choice(std::move(alternatives));
}

Expr fraction_from(const std::string& bound, bool closed) {
  std::vector<Expr> alternatives;
  for (size_t i = 0; i < bound.size(); ++i)
    if (bound[i] < '9')
      alternatives.push_back(
          sequence({text(bound.substr(0, i)), digit(static_cast<char>(bound[i] + 1), '9'), any_decimals()}));
  const Expr more = sequence({repeat(digit('0', '0'), 0, kMostDecimals), digit('1', '9'), any_decimals()});
  alternatives.push_back(sequence({text(bound), more}));
  if (closed)
    alternatives.push_back(sequence({text(bound), repeat(digit('0', '0'), bound.empty() ? 1 : 0, kMostDecimals)}));
  return choice(std::move(alternatives));
}

Expr with_any_fraction(Expr whole) {
  return sequence({std::move(whole), optional(sequence({text("."), repeat(digit(), 1, kMostDecimals)}))});
}

// Numbers without a sign, from `min` (>= 0) to `max`; nothing where there are none.
Expr magnitudes(bool integer, const Bound& min, const std::optional<Bound>& max) {
  if (max && (max->value < min.value || (max->value == min.value && (max->exclusive || min.exclusive))))
    return nothing();
  const Decimal low = decimal_of(min.value);
  const bool low_is_whole = low.fraction.empty();
  const int64_t first = low_is_whole && !min.exclusive ? low.whole : low.whole + 1;  // the least whole number
  if (!max) {
    if (integer) return whole_from(first);
    std::vector<Expr> alternatives = {with_any_fraction(whole_from(first))};
    if (first > low.whole)
      alternatives.push_back(
          sequence({text(std::to_string(low.whole)), text("."), fraction_from(low.fraction, !min.exclusive)}));
    return choice(std::move(alternatives));
  }
  const Decimal high = decimal_of(max->value);
  const int64_t last = high.fraction.empty() && max->exclusive ? high.whole - 1 : high.whole;
  if (integer) return first <= last ? whole_range(first, last) : nothing();
  std::vector<Expr> alternatives;
  if (first <= last) alternatives.push_back(whole_range(first, last));
  // Between two whole numbers, all fractions or those that a bound leaves.
  if (first < high.whole)
    alternatives.push_back(
        sequence({whole_range(first, high.whole - 1), text("."), repeat(digit(), 1, kMostDecimals)}));
  const bool same = low.whole == high.whole;
  const Expr whole_low = text(std::to_string(low.whole)), whole_high = text(std::to_string(high.whole));
  if (first > low.whole && !same)
    alternatives.push_back(sequence({whole_low, text("."), fraction_from(low.fraction, !min.exclusive)}));
  if (!same || first == low.whole)
    alternatives.push_back(sequence({whole_high, text("."), fraction_up_to(high.fraction, !max->exclusive)}));
  if (same && first > low.whole) throw invalid_argument("bounds between the same two whole numbers are not supported");
  return choice(std::move(alternatives));
}

}  // namespace

Expr literal(const nlohmann::ordered_json& value) {
  constexpr double kExact = 9007199254740992;  // 2^53
  if (value.is_number_float() && std::abs(value.get<double>()) < kExact &&
      std::floor(value.get<double>()) == value.get<double>())
    return text(std::to_string(value.get<int64_t>()));
  return text(value.dump());
}

Expr escaped(const Expr& content) {
  if (content.kind == Expr::Kind::kChars) return escaped_chars(content.chars);
  Expr out = content;
  for (Expr& part : out.parts) part = escaped(part);
  return out;
}

Expr quoted(const Expr& content) { return sequence({text("\""), escaped(content), text("\"")}); }

Expr any_string(int64_t min, int64_t max) { return sequence({text("\""), repeat(any_char(), min, max), text("\"")}); }

Expr number(bool integer, const NumberRange& range) {
  if (!range.min && !range.max) {
    const Expr whole = choice({text("0"), sequence({digit('1', '9'), repeat(digit(), 0, kMostDigits)})});
    if (integer) return sequence({optional(text("-")), whole});
    const Expr exponent =
        sequence({chars({{'E', 'E'}, {'e', 'e'}}), optional(chars({{'+', '+'}, {'-', '-'}})), repeat(digit(), 1, 2)});
    return sequence({optional(text("-")), with_any_fraction(whole), optional(exponent)});
  }
  std::vector<Expr> alternatives;
  const Bound zero{0, false};
  if (!range.max || range.max->value >= 0)
    alternatives.push_back(magnitudes(integer, range.min && range.min->value >= 0 ? *range.min : zero, range.max));
  // -x for x from -max to -min, but for 0.
  if (!range.min || range.min->value < 0) {
    const Bound low =
        range.max && range.max->value < 0 ? Bound{-range.max->value, range.max->exclusive} : Bound{0, true};
    std::optional<Bound> high;
    if (range.min) high = {-range.min->value, range.min->exclusive};
    alternatives.push_back(sequence({text("-"), magnitudes(integer, low, high)}));
  }
  return choice(std::move(alternatives));
}

}  // namespace hearth::json_text
