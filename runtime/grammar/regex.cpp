#include "runtime/grammar/regex.h"

#include <optional>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

constexpr int kMaxNesting = 100;

const CharSet kDigits{{'0', '9'}};
const CharSet kWordChars{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CharSet kSpaces{{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                      {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const CharSet kLineEnds{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

Expr anything() { return grammar::repeat(grammar::chars(CharSet::all()), 0); }

class RegexParser {
 public:
  explicit RegexParser(std::string_view pattern) : pattern_(pattern) {}

  Expr parse() {
    std::vector<Expr> alternatives;
    do alternatives.push_back(parse_anchored());
    while (take('|'));
    if (!at_end()) fail("there is no '(' for this ')'");
    return grammar::choice(std::move(alternatives));
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw invalid_argument("the regular expression at character {}: {}", utf8::count(pattern_.substr(0, at_)) + 1,
                           what);
  }
  bool at_end() const { return at_ == pattern_.size(); }
  bool next_is(char c) const { return !at_end() && pattern_[at_] == c; }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view text) {
    if (!pattern_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  char32_t take_char() {
    if (at_end()) fail("it ends too early");
    return utf8::decode(pattern_, at_);
  }

  // An alternative of the whole expression: where ^ or $ is not, anything may be.
  Expr parse_anchored() {
    std::vector<Expr> parts;
    if (take('^')) {
      while (take('^')) {
      }
    } else {
      parts.push_back(anything());
    }
    bool ends = false;
    while (!at_end() && !next_is('|') && !next_is(')')) {
      if (take('$')) {
        ends = true;
        continue;
      }
      if (ends) fail("'$' is supported at the end only");
      parts.push_back(parse_term());
    }
    if (!ends) parts.push_back(anything());
    return grammar::sequence(std::move(parts));
  }

  Expr parse_group() {
    if (++nesting_ > kMaxNesting) fail("it nests too deeply");
    std::vector<Expr> alternatives;
    do {
      std::vector<Expr> parts;
      while (!at_end() && !next_is('|') && !next_is(')')) parts.push_back(parse_term());
      alternatives.push_back(grammar::sequence(std::move(parts)));
    } while (take('|'));
    if (!take(')')) fail("a ')' is missing");
    --nesting_;
    return grammar::choice(std::move(alternatives));
  }

  Expr parse_term() {
    Expr atom = parse_atom();
    std::pair<int64_t, int64_t> counts;
    if (!take_quantifier(counts)) return atom;
    take('?');  // as few as possible: the same texts
    std::pair<int64_t, int64_t> again;
    if (take_quantifier(again)) fail("there is nothing to repeat");
    return grammar::repeat(std::move(atom), counts.first, counts.second);
  }

  bool take_quantifier(std::pair<int64_t, int64_t>& counts) {
    if (take('*')) return counts = {0, Expr::kUnbounded}, true;
    if (take('+')) return counts = {1, Expr::kUnbounded}, true;
    if (take('?')) return counts = {0, 1}, true;
    if (!take('{')) return false;
    const int64_t min = take_number();
    int64_t max = min;
    if (take(',')) max = next_is('}') ? Expr::kUnbounded : take_number();
    if (!take('}')) fail("a '}' is missing");
    if (max != Expr::kUnbounded && max < min) fail("the counts are in the wrong order");
    counts = {min, max};
    return true;
  }

  int64_t take_number() {
    if (at_end() || !kDigits.contains(static_cast<unsigned char>(pattern_[at_]))) fail("a count is missing");
    int64_t value = 0;
    for (; !at_end() && kDigits.contains(static_cast<unsigned char>(pattern_[at_])); ++at_) {
      value = value * 10 + (pattern_[at_] - '0');
      if (value > 1'000'000) fail("the count is too large");
    }
    return value;
  }

  Expr parse_atom() {
    if (take('(')) {
      if (take("?:")) return parse_group();
      if (take("?<") && !next_is('=') && !next_is('!')) {
        while (!take('>')) take_char();
        return parse_group();
      }
      if (pattern_[at_ - 1] == '<' || next_is('?')) fail("lookaround is not supported");
      return parse_group();
    }
    if (take('[')) return grammar::chars(parse_class());
    if (take('.')) return grammar::chars(kLineEnds.complement());
    if (take('\\')) {
      if (const auto set = take_class_escape()) return grammar::chars(*set);
      const char32_t c = take_escaped();
      return grammar::chars({{c, c}});
    }
    for (const char c : {'^', '$'})
      if (next_is(c)) fail("'^' and '$' are supported at the beginning and at the end only");
    for (const char c : {'*', '+', '?', '{', ')', '}', ']'})
      if (next_is(c)) fail("this stands for nothing here: put a '\\' before it");
    const char32_t c = take_char();
    return grammar::chars({{c, c}});
  }

  // Behind a '\': \d, \w, \s and what is not of them.
  std::optional<CharSet> take_class_escape() {
    for (const auto& [letter, set] : {std::pair{'d', &kDigits}, {'w', &kWordChars}, {'s', &kSpaces}}) {
      if (take(letter)) return *set;
      if (take(static_cast<char>(letter - 'a' + 'A'))) return set->complement();
    }
    return std::nullopt;
  }

  char32_t take_escaped() {
    const char32_t c = take_char();
    switch (c) {
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 'f':
        return '\f';
      case 'v':
        return '\v';
      case '0':
        return 0;
      case 'x':
        return take_hexadecimal(2);
      case 'u':
        return take_unicode();
      case 'c':
        return take_char() % 32;
      default:
        break;
    }
    if (c >= '1' && c <= '9') fail("back references are not supported");
    if (c == 'b' || c == 'B') fail("word boundaries are not supported");
    if (c == 'p' || c == 'P') fail("properties of characters (\\p) are not supported");
    if (c < 0x80 && kWordChars.contains(c)) fail("there is no such escape");
    return c;
  }

  char32_t take_hexadecimal(int digits) {
    char32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const char32_t c = take_char();
      const bool digit = c >= '0' && c <= '9', lower = c >= 'a' && c <= 'f', upper = c >= 'A' && c <= 'F';
      if (!digit && !lower && !upper) fail("a hexadecimal digit is missing");
      value = value * 16 + (digit ? c - '0' : lower ? c - 'a' + 10 : c - 'A' + 10);
    }
    return value;
  }

  char32_t take_unicode() {
    if (take('{')) {
      char32_t value = 0;
      while (!take('}')) {
        value = value * 16 + take_hexadecimal(1);
        if (value > 0x10FFFF) fail("there is no such character");
      }
      return value;
    }
    const char32_t first = take_hexadecimal(4);
    if (first < 0xD800 || first > 0xDBFF || !take("\\u")) return first;
    const char32_t second = take_hexadecimal(4);
    if (second < 0xDC00 || second > 0xDFFF) fail("half a character");
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  CharSet parse_class() {
    const bool negated = take('^');
    CharSet set;
    while (!take(']')) {
      std::optional<CharSet> many;
      const char32_t first = take_class_member(many);
      if (many) {
        set.add(*many);
        continue;
      }
      if (!next_is('-') || pattern_.substr(at_).starts_with("-]")) {
        set.add(first, first);
        continue;
      }
      take('-');
      const char32_t last = take_class_member(many);
      if (many) fail("a range ends with one character");
      if (last < first) fail("the range is in the wrong order");
      set.add(first, last);
    }
    return negated ? set.complement() : set;
  }

  char32_t take_class_member(std::optional<CharSet>& many) {
    if (!take('\\')) return take_char();
    many = take_class_escape();
    if (many) return 0;
    if (take('b')) return '\b';
    if (take('-')) return '-';
    return take_escaped();
  }

  std::string_view pattern_;
  size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace

Expr parse_regex(std::string_view pattern) {
  if (utf8::find_invalid(pattern) != std::string_view::npos)
    throw invalid_argument("the regular expression is not UTF-8");
  return RegexParser(pattern).parse();
}

}  // namespace hearth
