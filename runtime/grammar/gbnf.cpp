#include "runtime/grammar/gbnf.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth {
namespace {

constexpr int kMaxNesting = 100;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class GbnfParser {
 public:
  explicit GbnfParser(std::string_view text) : text_(text) {}

  Grammar parse() {
    for (skip_blanks(); !at_end(); skip_blanks()) {
      const size_t begin = at_;
      const std::string name = take_name();
      skip_blanks();
      if (!take("::=")) fail("'::=' is missing");
      const int rule = rule_of(name, begin);
      if (is_defined_[static_cast<size_t>(rule)]) fail_at(begin, "the rule is there already");
      is_defined_[static_cast<size_t>(rule)] = true;
      Expr content = parse_alternatives();
      grammar_.rules[static_cast<size_t>(rule)] = std::move(content);
    }
    return finish();
  }

 private:
  [[noreturn]] void fail_at(size_t at, const std::string& what) const {
    const std::string_view before = text_.substr(0, at);
    const size_t line_begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    throw invalid_argument("the grammar at line {}, column {}: {}", std::ranges::count(before, '\n') + 1,
                           utf8::count(before.substr(line_begin)) + 1, what);
  }
  [[noreturn]] void fail(const std::string& what) const { fail_at(at_, what); }

  bool at_end() const { return at_ == text_.size(); }
  bool next_is(char c) const { return !at_end() && text_[at_] == c; }
  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  void skip_blanks() {
    for (; !at_end(); ++at_) {
      if (text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      if (at_end() || std::string_view(" \t\r\n").find(text_[at_]) == std::string_view::npos) return;
    }
  }

  std::string take_name() {
    const size_t begin = at_;
    while (!at_end() && is_name_char(text_[at_])) ++at_;
    if (at_ == begin) fail("the name of a rule is missing");
    return std::string(text_.substr(begin, at_ - begin));
  }

  int rule_of(const std::string& name, size_t at) {
    const auto [known, is_new] = rules_.try_emplace(name, static_cast<int>(grammar_.rules.size()));
    if (is_new) {
      grammar_.rules.push_back(grammar::nothing());
      grammar_.names.push_back(name);
      is_defined_.push_back(false);
      first_use_.push_back(at);
    }
    return known->second;
  }

  // Whether the next thing is a new rule.
  bool begins_rule() {
    const size_t here = at_;
    while (!at_end() && is_name_char(text_[at_])) ++at_;
    const bool has_name = at_ > here;
    skip_blanks();
    const bool found = has_name && text_.substr(at_).starts_with("::=");
    at_ = here;
    return found;
  }

  Expr parse_alternatives() {
    if (++nesting_ > kMaxNesting) fail("it nests too deeply");
    std::vector<Expr> alternatives;
    do alternatives.push_back(parse_sequence());
    while (take("|"));
    --nesting_;
    return grammar::choice(std::move(alternatives));
  }

  Expr parse_sequence() {
    std::vector<Expr> parts;
    for (skip_blanks(); !at_end() && !next_is('|') && !next_is(')') && !begins_rule(); skip_blanks())
      parts.push_back(parse_repeated());
    return grammar::sequence(std::move(parts));
  }

  Expr parse_repeated() {
    Expr part = parse_part();
    for (skip_blanks();; skip_blanks()) {
      if (take("*")) {
        part = grammar::repeat(std::move(part), 0);
      } else if (take("+")) {
        part = grammar::repeat(std::move(part), 1);
      } else if (take("?")) {
        part = grammar::optional(std::move(part));
      } else if (take("{")) {
        part = parse_counts(std::move(part));
      } else {
        return part;
      }
    }
  }

  Expr parse_counts(Expr part) {
    const int64_t min = take_count();
    int64_t max = min;
    skip_blanks();
    if (take(",")) {
      skip_blanks();
      max = next_is('}') ? Expr::kUnbounded : take_count();
      skip_blanks();
    }
    if (!take("}")) fail("a '}' is missing");
    if (max != Expr::kUnbounded && max < min) fail("the counts are in the wrong order");
    return grammar::repeat(std::move(part), min, max);
  }

  int64_t take_count() {
    skip_blanks();
    int64_t value = 0;
    const size_t begin = at_;
    for (; !at_end() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      value = value * 10 + (text_[at_] - '0');
      if (value > 1'000'000) fail("the count is too large");
    }
    if (at_ == begin) fail("a count is missing");
    return value;
  }

  Expr parse_part() {
    if (take("\"")) return parse_text();
    if (take("[")) return parse_class();
    if (take(".")) return grammar::chars(CharSet::all());
    if (take("(")) {
      Expr group = parse_alternatives();
      if (!take(")")) fail("a ')' is missing");
      return group;
    }
    if (at_end() || !is_name_char(text_[at_])) fail("a text, a class, a rule or a group is missing");
    const size_t begin = at_;
    return grammar::rule(rule_of(take_name(), begin));
  }

  Expr parse_text() {
    std::vector<Expr> parts;
    while (!take("\"")) {
      const char32_t c = take_char();
      parts.push_back(grammar::chars({{c, c}}));
    }
    return grammar::sequence(std::move(parts));
  }

  Expr parse_class() {
    const bool negated = take("^");
    CharSet set;
    while (!take("]")) {
      const char32_t first = take_char();
      char32_t last = first;
      if (next_is('-') && !text_.substr(at_).starts_with("-]")) {
        ++at_;
        last = take_char();
      }
      if (last < first) fail("the range is in the wrong order");
      set.add(first, last);
    }
    return grammar::chars(negated ? set.complement() : set);
  }

  char32_t take_char() {
    if (at_end()) fail("it ends too early");
    if (!take("\\")) return utf8::decode(text_, at_);
    if (at_end()) fail("it ends too early");
    const char32_t c = utf8::decode(text_, at_);
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return take_hexadecimal(2);
      case 'u':
        return take_hexadecimal(4);
      case 'U':
        return take_hexadecimal(8);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return c;
      default:
        fail("there is no such escape");
    }
  }

  char32_t take_hexadecimal(int digits) {
    char32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = at_end() ? ' ' : text_[at_];
      const bool digit = c >= '0' && c <= '9', lower = c >= 'a' && c <= 'f', upper = c >= 'A' && c <= 'F';
      if (!digit && !lower && !upper) fail("a hexadecimal digit is missing");
      value = value * 16 + static_cast<char32_t>(digit ? c - '0' : lower ? c - 'a' + 10 : c - 'A' + 10);
    }
    if (value > 0x10FFFF) fail("there is no such character");
    return value;
  }

  Grammar finish() {
    const auto root = rules_.find("root");
    if (root == rules_.end() || !is_defined_[static_cast<size_t>(root->second)]) fail("there is no rule 'root'");
    for (size_t i = 0; i < is_defined_.size(); ++i)
      if (!is_defined_[i]) {
        std::vector<std::string> defined;
        for (size_t j = 0; j < is_defined_.size(); ++j)
          if (is_defined_[j]) defined.push_back(grammar_.names[j]);
        fail_at(first_use_[i],
                fmt::format("there is no rule '{}'{}", grammar_.names[i], did_you_mean(grammar_.names[i], defined)));
      }
    grammar_.root = root->second;
    if (!prune(grammar_)) fail("no text follows it to an end");
    return std::move(grammar_);
  }

  std::string_view text_;
  size_t at_ = 0;
  int nesting_ = 0;
  Grammar grammar_;
  std::map<std::string, int> rules_;
  std::vector<bool> is_defined_;
  std::vector<size_t> first_use_;
};

}  // namespace

Grammar parse_gbnf(std::string_view text) {
  if (utf8::find_invalid(text) != std::string_view::npos) throw invalid_argument("the grammar is not UTF-8");
  return GbnfParser(text).parse();
}

}  // namespace hearth
