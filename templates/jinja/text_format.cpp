// Python's two ways to fill in a text: "..." % values and "...".format(...).
#include <algorithm>
#include <cmath>

#include "templates/jinja/builtins.h"
#include "templates/jinja/format.h"
#include "templates/jinja/operators.h"
#include "templates/jinja/unicode.h"

namespace hearth::jinja {
namespace {

constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxPrecision = 300;  // of floats; more digits than any double has

struct Spec {
  std::string fill = " ";
  char align = 0;  // < > = ^
  char sign = '-';
  bool alternate = false;
  char grouping = 0;
  int64_t width = 0;
  int64_t precision = -1;
  char type = 0;
};

int64_t read_number(std::string_view text, size_t& i) {
  int64_t n = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    n = n * 10 + (text[i] - '0');
    if (n > kMaxWidth) throw fault("a format's width or precision exceeds {}", kMaxWidth);
  }
  return n;
}

// The text in its width; `prefix` (sign, 0x) stays in front of zeros when align is '='.
void append_aligned(StringBuilder& out, const String& text, std::string_view prefix, const Spec& spec, char align) {
  const size_t size = count_code_points(text.bytes) + prefix.size();
  const size_t pad = spec.width > static_cast<int64_t>(size) ? static_cast<size_t>(spec.width) - size : 0;
  const size_t left = align == '>' ? pad : align == '^' ? pad / 2 : 0;
  out.repeat(spec.fill, left);
  out.append(prefix);
  if (align == '=') out.repeat(spec.fill, pad);
  out.append(text);
  if (align != '=') out.repeat(spec.fill, pad - left);
}

std::string group_thousands(const std::string& digits, char separator) {
  const size_t end = std::min(digits.find_first_not_of("0123456789"), digits.size());
  std::string out;
  for (size_t i = 0; i < end; ++i) {
    if (i > 0 && (end - i) % 3 == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(end);
}

std::string number_text(const Value& value, Spec& spec, std::string& prefix) {
  const bool floats = std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos && spec.type != 0;
  const bool negative = value.is(Kind::kFloat) ? std::signbit(value.floating()) : value.integer() < 0;
  prefix = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  if (!floats && value.is_integral()) {
    const int base = spec.type == 'b' ? 2 : spec.type == 'o' ? 8 : spec.type == 'x' || spec.type == 'X' ? 16 : 10;
    if (spec.alternate && base != 10) prefix += std::string("0") + spec.type;
    const Int n = value.integer();
    std::string digits = n < 0 ? int_text(n).substr(1) : int_text(n);
    if (base != 10) digits = digits_of(n < 0 ? -n : n, base, spec.type == 'X');
    return spec.grouping ? group_thousands(digits, spec.grouping) : digits;
  }
  const double x = std::fabs(value.number()) * (spec.type == '%' ? 100 : 1);
  std::string digits;
  if (spec.type == 0 && spec.precision < 0) {
    digits = float_repr(x);
  } else {
    const char conversion = spec.type == 0 ? 'g' : spec.type == '%' ? 'f' : spec.type;
    const int64_t precision = spec.precision < 0 ? 6 : std::min(spec.precision, kMaxPrecision);
    digits = format_float(x, conversion, static_cast<int>(precision), spec.alternate);
  }
  if (spec.grouping) digits = group_thousands(digits, spec.grouping);
  return spec.type == '%' ? digits + "%" : digits;
}

Spec parse_spec(std::string_view text) {
  Spec spec;
  size_t i = 0;
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '=' || c == '^'; };
  if (!text.empty()) {
    const size_t first = decode(text, 0).length;
    if (first < text.size() && is_align(text[first])) {
      spec.fill = text.substr(0, first);
      spec.align = text[first];
      i = first + 1;
    } else if (is_align(text[0])) {
      spec.align = text[i++];
    }
  }
  const auto next_is = [&](char c) { return i < text.size() && text[i] == c; };
  if (next_is('+') || next_is('-') || next_is(' ')) spec.sign = text[i++];
  if (next_is('#')) spec.alternate = (++i, true);
  if (next_is('0')) {
    if (!spec.align) {
      spec.align = '=';
      spec.fill = "0";
    }
    ++i;
  }
  spec.width = read_number(text, i);
  if (next_is(',') || next_is('_')) spec.grouping = text[i++];
  if (next_is('.')) spec.precision = read_number(text, ++i);
  if (i < text.size()) spec.type = text[i++];
  if (i < text.size()) throw fault("invalid format specifier '{}'", text);
  return spec;
}

void append_with_spec(StringBuilder& out, const Value& value, std::string_view spec_text) {
  if (spec_text.empty()) return append_str(out, value);
  Spec spec = parse_spec(spec_text);
  if (value.is_number() && !(value.is(Kind::kBool) && spec.type == 's')) {
    static constexpr std::string_view kInts = "bdoxXneEfFgG%", kFloats = "eEfFgGn%";
    const std::string_view known = value.is(Kind::kFloat) ? kFloats : kInts;
    if (spec.type != 0 && known.find(spec.type) == std::string_view::npos) {
      throw fault("Unknown format code '{}' for object of type '{}'", spec.type, type_name(value));
    }
    std::string prefix;
    const String digits{number_text(value, spec, prefix), {}};
    return append_aligned(out, digits, prefix, spec, spec.align ? spec.align : '>');
  }
  if (!value.is(Kind::kString)) throw fault("unsupported format string passed to {}.__format__", type_name(value));
  if (spec.type != 0 && spec.type != 's') {
    throw fault("Unknown format code '{}' for object of type 'str'", spec.type);
  }
  Value text = value;
  if (spec.precision >= 0) {
    text = substring(out.state(), text, 0, byte_offset(text.bytes(), static_cast<size_t>(spec.precision)));
  }
  append_aligned(out, text.string(), "", spec, spec.align ? spec.align : '<');
}

class PercentFormatter {
 public:
  PercentFormatter(RenderState& state, const String& format, const Value& values)
      : out_(state), format_(format), values_(values) {}

  Value run() {
    const std::string& text = format_.bytes;
    size_t i = 0;
    while (i < text.size()) {
      const size_t percent = std::min(text.find('%', i), text.size());
      out_.append(format_, i, percent);
      i = percent;
      if (i < text.size()) conversion(++i);
    }
    const bool tuple = values_.is(Kind::kList) && values_.list().type != List::Type::kList;
    const bool all =
        tuple ? used_ == values_.list().items.size() : used_ > 0 || values_.is(Kind::kDict) || values_.is(Kind::kList);
    if (!all) throw fault("not all arguments converted during string formatting");
    return out_.value();
  }

 private:
  const Value& next() {
    const bool tuple = values_.is(Kind::kList) && values_.list().type != List::Type::kList;
    if (used_ >= (tuple ? values_.list().items.size() : 1)) throw fault("not enough arguments for format string");
    return tuple ? values_.list().items[used_++] : (++used_, values_);
  }

  int64_t number_or_star(size_t& i) {
    if (i < format_.bytes.size() && format_.bytes[i] == '*') {
      ++i;
      const int64_t n = to_index(next(), "a format's width");
      if (n > kMaxWidth || n < -kMaxWidth) throw fault("a format's width or precision exceeds {}", kMaxWidth);
      return n;
    }
    return read_number(format_.bytes, i);
  }

  void conversion(size_t& i) {
    const std::string& text = format_.bytes;
    const Value* named = nullptr;
    if (i < text.size() && text[i] == '(') {
      const size_t close = text.find(')', i);
      if (close == std::string::npos) throw fault("incomplete format key");
      if (!values_.is(Kind::kDict)) throw fault("format requires a mapping");
      named = values_.dict().find(std::string_view(text).substr(i + 1, close - i - 1));
      if (!named) throw fault("'{}'", text.substr(i + 1, close - i - 1));
      i = close + 1;
    }
    Spec spec;
    bool left = false, zero = false;
    for (; i < text.size() && std::string_view("-+ #0").find(text[i]) != std::string_view::npos; ++i) {
      if (text[i] == '-') left = true;
      if (text[i] == '0') zero = true;
      if (text[i] == '#') spec.alternate = true;
      if (text[i] == '+' || (text[i] == ' ' && spec.sign != '+')) spec.sign = text[i];
    }
    spec.width = number_or_star(i);
    if (spec.width < 0) {
      left = true;
      spec.width = -spec.width;
    }
    if (i < text.size() && text[i] == '.') spec.precision = std::max<int64_t>(number_or_star(++i), 0);
    while (i < text.size() && (text[i] == 'l' || text[i] == 'h' || text[i] == 'L')) ++i;
    if (i >= text.size()) throw fault("incomplete format");
    spec.type = text[i++];
    if (spec.type == '%') return out_.append("%");
    append(named ? *named : next(), spec, left ? '<' : '>', zero && !left);
  }

  void append(const Value& value, Spec spec, char align, bool zero) {
    if (spec.type == 's' || spec.type == 'r' || spec.type == 'a') {
      StringBuilder text(out_.state());
      spec.type == 's' ? append_str(text, value) : append_repr(text, value);
      Value shown = text.value();
      if (spec.precision >= 0) {
        shown = substring(out_.state(), shown, 0, byte_offset(shown.bytes(), static_cast<size_t>(spec.precision)));
      }
      return append_aligned(out_, shown.string(), "", spec, align);
    }
    if (spec.type == 'c') {
      String character;
      if (value.is(Kind::kString) && count_code_points(value.bytes()) == 1) {
        character = value.string();
      } else {
        const int64_t code = to_index(value, "%c");
        if (code < 0 || code > 0x10ffff) throw fault("%c arg not in range(0x110000)");
        encode(character.bytes, static_cast<char32_t>(code));
      }
      return append_aligned(out_, character, "", spec, align);
    }
    if (std::string_view("diuxXoeEfFgG").find(spec.type) == std::string_view::npos) {
      throw fault("unsupported format character '{}'", spec.type);
    }
    if (!value.is_number()) throw fault("%{} format: a real number is required, not {}", spec.type, type_name(value));
    Value number = value;
    const bool whole = std::string_view("diu").find(spec.type) != std::string_view::npos;
    if (whole || spec.type == 'x' || spec.type == 'X' || spec.type == 'o') {
      if (value.is(Kind::kFloat)) {
        if (!whole) throw fault("%{} format: an integer is required, not float", spec.type);
        if (!(std::fabs(value.floating()) < 1e38))
          throw fault("cannot convert float {} to integer", float_repr(value.floating()));
        number = Value(static_cast<Int>(value.floating()));
      }
      if (whole) spec.type = 0;
    }
    std::string prefix;
    String digits{number_text(number, spec, prefix), {}};
    if (number.is_integral() && spec.precision > static_cast<int64_t>(digits.bytes.size()) && whole) {
      digits.bytes.insert(0, static_cast<size_t>(spec.precision) - digits.bytes.size(), '0');
    }
    if (zero) spec.fill = "0";
    append_aligned(out_, digits, prefix, spec, zero ? '=' : align);
  }

  StringBuilder out_;
  const String& format_;
  const Value& values_;
  size_t used_ = 0;
};

class BraceFormatter {
 public:
  BraceFormatter(RenderState& state, const Arguments& arguments) : state_(state), arguments_(arguments) {}

  void run(StringBuilder& out, const String& format, size_t i, size_t end, int depth) {
    const std::string& text = format.bytes;
    while (i < end) {
      const size_t brace = std::min(text.find_first_of("{}", i), end);
      out.append(format, i, brace);
      i = brace;
      if (i >= end) return;
      if (i + 1 < end && text[i + 1] == text[i]) {
        out.append(format, i, i + 1);
        i += 2;
        continue;
      }
      if (text[i] == '}') throw fault("Single '}}' encountered in format string");
      const size_t close = closing_brace(text, i + 1, end);
      field(out, format, i + 1, close, depth);
      i = close + 1;
    }
  }

 private:
  static size_t closing_brace(const std::string& text, size_t i, size_t end) {
    for (int open = 1; i < end; ++i) {
      if (text[i] == '{') ++open;
      if (text[i] == '}' && --open == 0) return i;
    }
    throw fault("expected '}}' before end of string");
  }

  void field(StringBuilder& out, const String& format, size_t begin, size_t end, int depth) {
    if (depth > 1) throw fault("Max string recursion exceeded");
    const std::string_view text = std::string_view(format.bytes).substr(0, end);
    const size_t name_end = std::min(text.find_first_of("!:", begin), end);
    Value value = look_up(text.substr(begin, name_end - begin));
    size_t i = name_end;
    if (i < end && text[i] == '!') {
      if (i + 1 >= end || std::string_view("sra").find(text[i + 1]) == std::string_view::npos) {
        throw fault("Unknown conversion specifier in format string");
      }
      StringBuilder shown(state_);
      text[i + 1] == 's' ? append_str(shown, value) : append_repr(shown, value);
      value = shown.value();
      i += 2;
      if (i < end && text[i] != ':') throw fault("expected ':' after conversion specifier");
    }
    StringBuilder spec(state_);
    if (i < end) run(spec, format, i + 1, end, depth + 1);
    append_with_spec(out, value, spec.bytes());
  }

  // "name.attribute[key]"
  Value look_up(std::string_view path) {
    size_t i = std::min(path.find_first_of(".["), path.size());
    Value value = argument(path.substr(0, i));
    while (i < path.size()) {
      const bool bracket = path[i] == '[';
      const size_t end = std::min(bracket ? path.find(']', i) : path.find_first_of(".[", i + 1), path.size());
      if (bracket && end == path.size()) throw fault("Missing ']' in format string");
      const std::string_view key = path.substr(i + 1, end - i - 1);
      const bool number =
          !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string_view::npos;
      value = !bracket ? attribute(state_, value, key)
                       : subscript(state_, value, number ? Value(std::stoi(std::string(key))) : Value::text(key));
      i = bracket ? end + 1 : end;
    }
    return value;
  }

  Value argument(std::string_view name) {
    const bool number = name.size() < 10 && name.find_first_not_of("0123456789") == std::string_view::npos;
    if (number) {
      const size_t i = name.empty() ? automatic_++ : static_cast<size_t>(std::stoi(std::string(name)));
      if (i >= arguments_.positional.size()) {
        throw fault("Replacement index {} out of range for positional args tuple", i);
      }
      return arguments_.positional[i];
    }
    for (const auto& [key, value] : arguments_.keyword) {
      if (key == name) return value;
    }
    throw fault("'{}'", name);
  }

  RenderState& state_;
  const Arguments& arguments_;
  size_t automatic_ = 0;
};

}  // namespace

Value percent_format(RenderState& state, const String& format, const Value& values) {
  return PercentFormatter(state, format, values).run();
}

Value brace_format(RenderState& state, const Value& format, const Arguments& arguments) {
  StringBuilder out(state);
  BraceFormatter(state, arguments).run(out, format.string(), 0, format.bytes().size(), 0);
  return out.value();
}

}  // namespace hearth::jinja
