#include "templates/jinja/lexer.h"

#include <algorithm>
#include <cstdlib>

#include "templates/jinja/unicode.h"

namespace hearth::jinja {
namespace {

constexpr size_t kNone = std::string_view::npos;

std::string normalize_newlines(std::string_view source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

bool is_decimal_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (is_decimal_digit(c)) return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// Undoes the escapes of a string literal as Python does for one: unknown ones stay as they are.
class Unescaper {
 public:
  Unescaper(std::string_view text, int line) : text_(text), line_(line) {}

  std::string run() {
    while (i_ < text_.size()) {
      if (text_[i_] == '\\' && i_ + 1 < text_.size()) {
        ++i_;
        escape();
      } else {
        out_ += text_[i_++];
      }
    }
    return std::move(out_);
  }

 private:
  void escape() {
    static constexpr std::string_view kFrom = "\\'\"abfnrtv", kTo = "\\'\"\a\b\f\n\r\t\v";
    const char c = text_[i_];
    const size_t simple = kFrom.find(c);
    if (simple != kNone) {
      out_ += kTo[simple];
      ++i_;
    } else if (c == '\n') {
      ++i_;
    } else if (c >= '0' && c <= '7') {
      octal();
    } else if (c == 'x' || c == 'u' || c == 'U') {
      ++i_;
      hexadecimal(c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (c == 'N') {
      throw SyntaxFault("\\N{...} escapes are not supported: write the character itself", line_);
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      // The reference turns the character into an escape first, whose backslash the one before it then quotes.
      const CodePoint point = decode(text_, i_);
      const auto code = static_cast<uint32_t>(point.value);
      out_ += code < 0x100     ? fmt::format("\\x{:02x}", code)
              : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                               : fmt::format("\\U{:08x}", code);
      i_ += point.length;
    } else {
      out_ += '\\';
      out_ += c;
      ++i_;
    }
  }

  void octal() {
    char32_t code = 0;
    for (int n = 0; n < 3 && i_ < text_.size() && text_[i_] >= '0' && text_[i_] <= '7'; ++n) {
      code = code * 8 + static_cast<char32_t>(text_[i_++] - '0');
    }
    encode(out_, code);
  }

  char32_t read_hexadecimal(int digits) {
    char32_t code = 0;
    for (int n = 0; n < digits; ++n, ++i_) {
      const int digit = i_ < text_.size() ? hex_value(text_[i_]) : -1;
      if (digit < 0) throw SyntaxFault("truncated escape in a string", line_);
      code = code * 16 + static_cast<char32_t>(digit);
    }
    return code;
  }

  void hexadecimal(int digits) {
    const char32_t code = read_hexadecimal(digits);
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
      throw SyntaxFault("illegal Unicode character in a string", line_);
    encode(out_, code);
  }

  std::string_view text_;
  int line_;
  size_t i_ = 0;
  std::string out_;
};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (position_ < source_.size()) root();
    emit(TokenType::kEnd, "");
    return std::move(tokens_);
  }

 private:
  void emit(TokenType type, std::string text) { tokens_.push_back({type, std::move(text), {}, line_}); }

  char at(size_t i) const { return i < source_.size() ? source_[i] : '\0'; }
  bool starts(size_t i, std::string_view text) const {
    return source_.substr(std::min(i, source_.size()), text.size()) == text;
  }
  size_t skip_space(size_t i) const { return i + leading_space(source_.substr(i)); }

  // Moves on to `end`, counting lines.
  void advance(size_t end) {
    const std::string_view passed = source_.substr(position_, end - position_);
    line_ += static_cast<int>(std::count(passed.begin(), passed.end(), '\n'));
    if (!passed.empty()) line_starting_ = passed.back() == '\n';
    position_ = end;
  }

  size_t find_tag(size_t from) const {
    for (size_t i = source_.find('{', from); i != kNone; i = source_.find('{', i + 1)) {
      const char next = at(i + 1);
      if (next == '%' || next == '{' || next == '#') return i;
    }
    return kNone;
  }

  // The text before a tag, as the tag's sign (and the kind of tag) leaves it.
  std::string_view before_tag(std::string_view text, char sign, bool variable) const {
    if (sign == '-') return text.substr(0, text.size() - trailing_space(text));
    if (sign == '+' || variable) return text;
    const size_t line = text.rfind('\n') == kNone ? 0 : text.rfind('\n') + 1;
    if ((line > 0 || line_starting_) && leading_space(text.substr(line)) == text.size() - line)
      return text.substr(0, line);
    return text;
  }

  // Text up to the next tag, and the tag.
  void root() {
    const size_t tag = find_tag(position_);
    if (tag == kNone) {
      emit(TokenType::kData, std::string(source_.substr(position_)));
      advance(source_.size());
      return;
    }
    const char kind = source_[tag + 1];
    const char sign = at(tag + 2) == '-' || at(tag + 2) == '+' ? at(tag + 2) : '\0';
    const std::string_view text = before_tag(source_.substr(position_, tag - position_), sign, kind == '{');
    if (!text.empty()) emit(TokenType::kData, std::string(text));
    const size_t inside = tag + (sign ? 3 : 2);
    const size_t raw = kind == '%' ? raw_begin(inside) : kNone;
    advance(raw == kNone ? inside : raw);
    line_starting_ = raw != kNone && source_[raw - 1] == '\n';
    if (raw != kNone) return raw_block();
    if (kind == '#') return comment();
    emit(kind == '%' ? TokenType::kBlockBegin : TokenType::kVariableBegin, "");
    code(kind == '%');
  }

  // The end of "raw %}" at i, or npos.
  size_t raw_begin(size_t i) const {
    i = skip_space(i);
    if (!starts(i, "raw")) return kNone;
    i = skip_space(i + 3);
    if (starts(i, "-%}")) return skip_space(i + 3);
    return starts(i, "%}") ? i + 2 : kNone;
  }

  void raw_block() {
    for (size_t tag = source_.find("{%", position_); tag != kNone; tag = source_.find("{%", tag + 1)) {
      const char sign = at(tag + 2) == '-' || at(tag + 2) == '+' ? at(tag + 2) : '\0';
      size_t i = skip_space(tag + (sign ? 3 : 2));
      if (!starts(i, "endraw")) continue;
      i = skip_space(i + 6);
      const size_t end = block_end(i);
      if (end == kNone) continue;
      const std::string_view text = before_tag(source_.substr(position_, tag - position_), sign, false);
      if (!text.empty()) emit(TokenType::kData, std::string(text));
      return advance(end);
    }
    throw SyntaxFault("Missing end of raw directive", line_);
  }

  void comment() {
    const size_t close = source_.find("#}", position_);
    if (close == kNone) throw SyntaxFault("Missing end of comment tag", line_);
    const char before = close > position_ ? source_[close - 1] : '\0';
    size_t end = close + 2;
    if (before == '-') {
      end = skip_space(end);
    } else if (before != '+' && at(end) == '\n') {
      ++end;
    }
    advance(end);
  }

  // The end of a block's closing mark at i, with the white space it eats; npos when there is none.
  size_t block_end(size_t i) const {
    if (starts(i, "-%}")) return skip_space(i + 3);
    if (starts(i, "+%}")) return i + 3;
    if (!starts(i, "%}")) return kNone;
    return at(i + 2) == '\n' ? i + 3 : i + 2;
  }

  size_t variable_end(size_t i) const {
    if (starts(i, "-}}")) return skip_space(i + 3);
    return starts(i, "}}") ? i + 2 : kNone;
  }

  void code(bool block) {
    std::vector<char> open;  // brackets to be closed
    while (position_ < source_.size()) {
      if (open.empty()) {
        const size_t end = block ? block_end(position_) : variable_end(position_);
        if (end != kNone) {
          emit(block ? TokenType::kBlockEnd : TokenType::kVariableEnd, "");
          return advance(end);
        }
      }
      const size_t space = skip_space(position_);
      if (space > position_) {
        advance(space);
      } else if (is_decimal_digit(source_[position_])) {
        number();
      } else if (source_[position_] == '\'' || source_[position_] == '"') {
        string();
      } else if (name_length(position_) > 0) {
        name();
      } else {
        operation(open);
      }
    }
  }

  size_t name_length(size_t i) const {
    const size_t begin = i;
    while (i < source_.size()) {
      const CodePoint c = decode(source_, i);
      if (c.value != '_' && !is_alphanumeric(c.value)) break;
      i += c.length;
    }
    return i - begin;
  }

  void name() {
    const size_t end = position_ + name_length(position_);
    emit(TokenType::kName, std::string(source_.substr(position_, end - position_)));
    advance(end);
  }

  // Digits with single underscores between them.
  template <class IsDigit>
  size_t digits(size_t i, IsDigit&& is_digit) const {
    if (!is_digit(at(i))) return i;
    while (is_digit(at(i)) || (at(i) == '_' && is_digit(at(i + 1)))) ++i;
    return i;
  }

  void number() {
    const bool after_dot = position_ > 0 && source_[position_ - 1] == '.';
    if (!after_dot) {
      size_t end = digits(position_, is_decimal_digit);
      bool real = false;
      if (at(end) == '.' && is_decimal_digit(at(end + 1))) {
        end = digits(end + 1, is_decimal_digit);
        real = true;
      }
      if (at(end) == 'e' || at(end) == 'E') {
        const size_t sign = at(end + 1) == '+' || at(end + 1) == '-' ? 2 : 1;
        if (is_decimal_digit(at(end + sign))) {
          end = digits(end + sign, is_decimal_digit);
          real = true;
        }
      }
      if (real) return real_number(end);
    }
    integer();
  }

  std::string without_underscores(size_t end) const {
    std::string text(source_.substr(position_, end - position_));
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    return text;
  }

  void real_number(size_t end) {
    emit(TokenType::kFloat, "");
    tokens_.back().value = std::strtod(without_underscores(end).c_str(), nullptr);
    advance(end);
  }

  void integer() {
    const char kind = static_cast<char>(at(position_ + 1) | 0x20);
    int base = source_[position_] == '0' ? (kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10) : 10;
    const auto is_digit = [&](char c) { return hex_value(c) >= 0 && hex_value(c) < base; };
    size_t begin = position_;
    if (base != 10) {
      const size_t first = position_ + (at(position_ + 2) == '_' ? 3 : 2);
      if (is_digit(at(first))) {
        begin = first;
      } else {
        base = 10;
      }
    }
    // A decimal that begins with 0 is a run of zeros.
    const bool zeros = begin == position_ && source_[begin] == '0';
    const size_t end = zeros ? digits(begin, [](char c) { return c == '0'; }) : digits(begin, is_digit);
    Int value = 0;
    for (size_t i = begin; i < end; ++i) {
      if (source_[i] == '_') continue;
      if (value > (Int{1} << 120)) throw SyntaxFault("an integer exceeds 128 bits", line_);
      value = value * base + hex_value(source_[i]);
    }
    emit(TokenType::kInteger, std::string(source_.substr(position_, end - position_)));
    tokens_.back().value = value;
    advance(end);
  }

  void string() {
    const char quote = source_[position_];
    size_t end = position_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) throw SyntaxFault(fmt::format("unexpected char {}{}{}", '\'', quote, '\''), line_);
    emit(TokenType::kString, Unescaper(source_.substr(position_ + 1, end - position_ - 1), line_).run());
    advance(end + 1);
  }

  void operation(std::vector<char>& open) {
    static constexpr std::string_view kDouble[] = {"//", "**", "==", "!=", ">=", "<="};
    static constexpr std::string_view kSingle = "+-/*%~[](){}><=.:|,;";
    const char c = source_[position_];
    const bool two =
        std::any_of(std::begin(kDouble), std::end(kDouble), [&](std::string_view op) { return starts(position_, op); });
    if (!two && kSingle.find(c) == kNone) {
      throw SyntaxFault(
          fmt::format("unexpected char '{}'", source_.substr(position_, decode(source_, position_).length)), line_);
    }
    if (c == '(' || c == '[' || c == '{') open.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) throw SyntaxFault(fmt::format("unexpected '{}'", c), line_);
      if (open.back() != c) throw SyntaxFault(fmt::format("unexpected '{}', expected '{}'", c, open.back()), line_);
      open.pop_back();
    }
    emit(TokenType::kOperator, std::string(source_.substr(position_, two ? 2 : 1)));
    advance(position_ + (two ? 2 : 1));
  }

  std::string_view source_;
  size_t position_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(normalize_newlines(source)).run(); }

}  // namespace hearth::jinja
