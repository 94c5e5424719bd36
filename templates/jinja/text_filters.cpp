// Filters on one value: texts and numbers.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "templates/jinja/builtins.h"
#include "templates/jinja/format.h"
#include "templates/jinja/operators.h"
#include "templates/jinja/unicode.h"

namespace hearth::jinja {
namespace {

using S = RenderState;
using V = Value;
using P = Parameters;

Value defaulted(S&, const V& self, const P& p) {
  const bool absent = self.is(Kind::kUndefined) || (p.truth(1, false) && !truthy(self));
  return !absent ? self : p.get(0) ? p[0] : Value::text("");
}

// A run of separators is kept; every other piece gets a capital.
Value title(S& s, const V& self, const P&) {
  const Value text = to_str(s, self);
  const std::string& bytes = text.bytes();
  StringBuilder out(s);
  const auto separates = [](char32_t c) {
    return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_space(c);
  };
  for (size_t i = 0; i < bytes.size();) {
    size_t end = i;
    const bool separator = separates(decode(bytes, i).value);
    while (end < bytes.size() && separates(decode(bytes, end).value) == separator) end += decode(bytes, end).length;
    if (separator) {
      out.append(text.string(), i, end);
    } else {
      const size_t first = i + decode(bytes, i).length;
      out.append(change_case(s, substring(s, text, i, first), CaseChange::kUpper).string());
      out.append(change_case(s, substring(s, text, first, end), CaseChange::kLower).string());
    }
    i = end;
  }
  return out.value();
}

Value indent(S& s, const V& self, const P& p) {
  if (self.is(Kind::kUndefined)) throw Fault(self.undefined_cause());
  if (!self.is(Kind::kString)) throw fault("indent(): a string is required, not {}", type_name(self));
  StringBuilder indention(s);
  if (p.get(0) && p[0].is(Kind::kString)) {
    indention.append(p[0].string());
  } else {
    indention.repeat(" ", static_cast<size_t>(std::max<int64_t>(p.integer(0, 4), 0)));
  }
  const String prefix = indention.take();
  // The newline that the reference appends makes a last empty line count.
  StringBuilder ended(s);
  ended.append(self.string());
  ended.append("\n");
  const std::vector<Value> lines = split_lines(s, ended.value(), false);
  const bool first = p.truth(1, false), blank = p.truth(2, false);
  StringBuilder out(s);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.append("\n");
    if (i == 0 ? first : blank || !lines[i].bytes().empty()) out.append(prefix);
    out.append(lines[i].string());
  }
  return out.value();
}

Value truncate(S& s, const V& self, const P& p) {
  const Value end = p.get(2) ? to_str(s, p[2]) : Value::text("...");
  const int64_t length = p.integer(0, 255), leeway = p.integer(3, 5);
  const auto end_size = static_cast<int64_t>(count_code_points(end.bytes()));
  if (length < end_size) throw fault("expected length >= {}, got {}", end_size, length);
  if (leeway < 0) throw fault("expected leeway >= 0, got {}", leeway);
  const auto size = length_of(self);
  if (!size) throw fault("object of type '{}' has no len()", type_name(self));
  if (static_cast<int64_t>(*size) - leeway <= length) return self;
  if (!self.is(Kind::kString)) throw fault("truncate(): '{}' is not a string", type_name(self));
  const Value& text = self;
  size_t keep = byte_offset(text.bytes(), static_cast<size_t>(length - end_size));
  if (!p.truth(1, false)) {
    const size_t space = keep == 0 ? std::string::npos : text.bytes().rfind(' ', keep - 1);
    if (space != std::string::npos) keep = space;
  }
  StringBuilder out(s);
  out.append(text.string(), 0, keep);
  out.append(end.string());
  return out.value();
}

Value escape(S& s, const V& self, const P&) {
  StringBuilder out(s);
  append_html(out, self);
  return out.value(true);
}

Value force_escape(S& s, const V& self, const P&) {
  StringBuilder plain(s), out(s);
  append_str(plain, self);
  append_html(out, plain.value());
  return out.value(true);
}

Value safe(S& s, const V& self, const P&) {
  StringBuilder out(s);
  append_str(out, self);
  return out.value(true);
}

void append_quoted(StringBuilder& out, const Value& value, bool query) {
  const Value text = to_str(out.state(), value);
  for_each_piece(text.string(), 0, text.bytes().size(), [&](std::string_view piece, bool literal) {
    std::string quoted;
    for (const char c : piece) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                         c == '.' || c == '-' || c == '~' || (c == '/' && !query);
      if (plain) {
        quoted += c;
      } else {
        quoted += query && c == ' ' ? "+" : fmt::format("%{:02X}", static_cast<unsigned char>(c));
      }
    }
    out.append(quoted, literal);
  });
}

Value urlencode(S& s, const V& self, const P&) {
  StringBuilder out(s);
  if (self.is(Kind::kString) || !is_iterable(self)) {
    append_quoted(out, self, false);
    return out.value();
  }
  const Value pairs = self.is(Kind::kDict)
                          ? V(std::make_shared<const DictView>(DictView{DictView::Type::kItems, self.dict_ref()}))
                          : self;
  const ListRef all_items = iterate(s, pairs);
  for (const Value& pair : all_items->items) {
    if (!pair.is(Kind::kList) || pair.list().items.size() != 2) throw fault("urlencode(): pairs are required");
    if (out.size() > 0) out.append("&");
    append_quoted(out, pair.list().items[0], true);
    out.append("=");
    append_quoted(out, pair.list().items[1], true);
  }
  return out.value();
}

Value word_count(S& s, const V& self, const P&) {
  const Value text = to_str(s, self);
  size_t words = 0;
  bool inside = false;
  for (size_t i = 0; i < text.bytes().size();) {
    const CodePoint c = decode(text.bytes(), i);
    const bool word = is_alphanumeric(c.value) || c.value == '_';
    words += word && !inside ? 1 : 0;
    inside = word;
    i += c.length;
  }
  return words;
}

std::optional<double> parse_float(std::string_view text) {
  text.remove_prefix(leading_space(text));
  text.remove_suffix(trailing_space(text));
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto is_digit_at = [&](size_t k) { return k < text.size() && text[k] >= '0' && text[k] <= '9'; };
    if (text[i] == '_' && i > 0 && is_digit_at(i - 1) && is_digit_at(i + 1)) continue;
    plain += static_cast<char>(std::tolower(static_cast<unsigned char>(text[i])));
  }
  if (plain.empty() || plain.find_first_not_of("0123456789+-.einfaty") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(plain.c_str(), &end);
  return *end == '\0' ? std::optional(value) : std::nullopt;
}

Value file_size(S& s, const V& self, const P& p) {
  if (self.is(Kind::kUndefined)) throw Fault(self.undefined_cause());
  const auto number = self.is_number()         ? std::optional(self.number())
                      : self.is(Kind::kString) ? parse_float(self.bytes())
                                               : std::nullopt;
  if (!number) throw fault("float() argument must be a string of digits or a number, not {}", repr(s, self));
  const double bytes = *number;
  const bool binary = p.truth(0, false);
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return V::text("1 Byte");
  if (bytes < base) return V::text(fmt::format("{} Bytes", static_cast<int64_t>(std::max(bytes, -1e18))));
  static constexpr std::string_view kPrefixes = "kMGTPEZY";
  double unit = base;
  size_t i = 0;
  while (i + 1 < kPrefixes.size() && bytes >= unit * base) {
    unit *= base;
    ++i;
  }
  const std::string prefix =
      binary ? std::string(1, static_cast<char>(std::toupper(kPrefixes[i]))) + "i" : std::string(1, kPrefixes[i]);
  return V::text(format_float(bytes / unit, 'f', 1) + " " + prefix + "B");
}

// Python's int(text, base): optional sign and prefix, single underscores between digits.
std::optional<Int> parse_int(std::string_view text, int64_t base) {
  text.remove_prefix(leading_space(text));
  text.remove_suffix(trailing_space(text));
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.size() > 2 && text[0] == '0') {
    const char c = static_cast<char>(text[1] | 0x20);
    const int64_t named = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
    if (named != 0 && (base == named || base == 0)) {
      text.remove_prefix(text[2] == '_' ? 3 : 2);
      base = named;
    }
  }
  if (base == 0) base = 10;
  if (text.empty() || base < 2 || base > 36) return std::nullopt;
  Int n = 0;
  bool digit_before = false;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode(text, i);
    i += c.length;
    if (c.value == '_' && digit_before && i < text.size()) {
      digit_before = false;
      continue;
    }
    const int64_t digit = c.value >= '0' && c.value <= '9'   ? static_cast<int64_t>(c.value - '0')
                          : c.value >= 'a' && c.value <= 'z' ? static_cast<int64_t>(c.value - 'a') + 10
                          : c.value >= 'A' && c.value <= 'Z' ? static_cast<int64_t>(c.value - 'A') + 10
                                                             : 99;
    if (digit >= base) return std::nullopt;
    if (n > ((Int{1} << 126) - 1) / 36) throw fault("an integer exceeds 128 bits");
    n = n * base + digit;
    digit_before = true;
  }
  if (!digit_before) return std::nullopt;
  return negative ? -n : n;
}

Value from_double(double value, const Value& otherwise) {
  if (!std::isfinite(value)) return otherwise;
  if (std::fabs(value) > 1e38) throw fault("an integer exceeds 128 bits");
  return static_cast<Int>(value);
}

Value to_int(S&, const V& self, const P& p) {
  const Value otherwise = p.get(0) ? p[0] : Value(0);
  if (self.is(Kind::kUndefined)) throw Fault(self.undefined_cause());
  if (self.is_integral()) return self.integer();
  if (self.is(Kind::kFloat)) return from_double(self.floating(), otherwise);
  if (!self.is(Kind::kString)) return otherwise;
  if (const auto whole = parse_int(self.bytes(), p.integer(1, 10))) return *whole;
  const auto real = parse_float(self.bytes());
  return real ? from_double(*real, otherwise) : otherwise;
}

Value to_float(S&, const V& self, const P& p) {
  if (self.is(Kind::kUndefined)) throw Fault(self.undefined_cause());
  if (self.is_number()) return self.number();
  if (self.is(Kind::kString)) {
    if (const auto value = parse_float(self.bytes())) return *value;
  }
  return p.get(0) ? p[0] : Value(0.0);
}

Value absolute(S&, const V& self, const P&) {
  if (self.is(Kind::kUndefined)) throw Fault(self.undefined_cause());
  if (self.is(Kind::kFloat)) return std::fabs(self.floating());
  if (!self.is_number()) throw fault("bad operand type for abs(): '{}'", type_name(self));
  return self.integer() < 0 ? negate(self) : Value(self.integer());
}

double round_to(double value, int64_t precision) {
  if (!std::isfinite(value) || precision > 300) return value;
  if (precision >= 0) return std::strtod(format_float(value, 'f', static_cast<int>(precision)).c_str(), nullptr);
  if (precision < -308) return std::copysign(0.0, value);
  const double unit = std::pow(10.0, static_cast<double>(-precision));
  return std::nearbyint(value / unit) * unit;
}

Value rounded(S& s, const V& self, const P& p) {
  if (self.is(Kind::kUndefined)) throw Fault(self.undefined_cause());
  if (!self.is_number()) throw fault("type {} doesn't define __round__ method", type_name(self));
  const std::string method = p.get(1) && p[1].is(Kind::kString) ? p[1].bytes() : "common";
  const int64_t precision = p.integer(0, 0);
  if (method == "common") {
    if (self.is_integral() && precision >= 0) return self.integer();
    if (self.is_integral()) return from_double(round_to(self.number(), precision), self);
    return round_to(self.floating(), precision);
  }
  if (method != "ceil" && method != "floor") throw fault("method must be common, ceil or floor");
  const Value scale = arithmetic(s, Arithmetic::kPower, Value(10), Value(Int{precision}));
  const double scaled = arithmetic(s, Arithmetic::kMultiply, self, scale).number();
  if (!std::isfinite(scaled)) throw fault("cannot convert float {} to integer", float_repr(scaled));
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale.number();
}

Value to_json(S& s, const V& self, const P& p) {
  JsonStyle style;
  style.ensure_ascii = p.truth(0, false);
  style.sort_keys = p.truth(3, false);
  if (p.get(1) && !p[1].is(Kind::kNone)) {
    style.indent = p[1].is(Kind::kString)
                       ? p[1].bytes()
                       : std::string(static_cast<size_t>(std::clamp<int64_t>(p.integer(1, 0), 0, 1 << 16)), ' ');
    style.item_separator = std::string(1, ',');
  }
  if (p.get(2) && !p[2].is(Kind::kNone)) {
    const ListRef pair = iterate(s, p[2]);
    if (pair->items.size() != 2 || !pair->items[0].is(Kind::kString) || !pair->items[1].is(Kind::kString)) {
      throw fault("tojson(): separators must be two strings");
    }
    style.item_separator = pair->items[0].bytes();
    style.key_separator = pair->items[1].bytes();
  }
  StringBuilder out(s);
  append_json(out, self, style);
  return out.value();
}

Value format(S& s, const V& self, const P& p) {
  const Value text = to_str(s, self);
  const Arguments& all = p.all();
  if (!all.positional.empty() && !all.keyword.empty()) {
    throw fault("can't handle positional and keyword arguments at the same time");
  }
  if (all.keyword.empty()) return percent_format(s, text.string(), s.tuple(all.positional));
  DictBuilder dict(s);
  for (const auto& [name, value] : all.keyword) dict.set(Value::text(name), value);
  return percent_format(s, text.string(), dict.build());
}

// Without tags and comments, white space collapsed.
Value strip_tags(S& s, const V& self, const P&) {
  Value text = to_str(s, self);
  StringBuilder out(s);
  const std::string& bytes = text.bytes();
  for (size_t i = 0; i < bytes.size();) {
    const bool comment = bytes.compare(i, 4, "<!--") == 0;
    const size_t end = bytes[i] == '<' ? bytes.find(comment ? "-->" : ">", i) : std::string::npos;
    if (end == std::string::npos) {
      const size_t next = std::min(bytes.find('<', i + 1), bytes.size());
      out.append(text.string(), i, next);
      s.scan(bytes.size() - i);
      i = next;
    } else {
      i = end + (comment ? 3 : 1);
    }
  }
  text = out.value();
  return invoke(s, *string_methods().find("join"), Value::text(" "),
                {{invoke(s, *string_methods().find("split"), text, {})}, {}});
}

}  // namespace

const BuiltinTable& text_filters() {
  static const BuiltinTable kTable{
      {"abs", "", absolute},
      {"capitalize", "",
       [](S& s, const V& v, const P&) { return change_case(s, to_str(s, v), CaseChange::kCapitalize); }},
      {"center", "width?",
       [](S& s, const V& v, const P& p) { return align(s, to_str(s, v), p.integer(0, 80), " ", Alignment::kCenter); }},
      {"d", "default_value?,boolean?", defaulted},
      {"default", "default_value?,boolean?", defaulted},
      {"e", "", escape},
      {"escape", "", escape},
      {"filesizeformat", "binary?", file_size},
      {"float", "default?", to_float},
      {"forceescape", "", force_escape},
      {"format", "*", format},
      {"indent", "width?,first?,blank?", indent},
      {"int", "default?,base?", to_int},
      {"lower", "", [](S& s, const V& v, const P&) { return change_case(s, to_str(s, v), CaseChange::kLower); }},
      {"replace", "old,new,count?",
       [](S& s, const V& v, const P& p) {
         return replace(s, to_str(s, v), to_str(s, p[0]), to_str(s, p[1]), p.integer(2, -1));
       }},
      {"round", "precision?,method?", rounded},
      {"safe", "", safe},
      {"string", "", [](S& s, const V& v, const P&) { return to_str(s, v); }},
      {"striptags", "", strip_tags},
      {"title", "", title},
      {"tojson", "ensure_ascii?,indent?,separators?,sort_keys?", to_json},
      {"trim", "chars?", [](S& s, const V& v, const P& p) { return strip(s, to_str(s, v), p.string(0), true, true); }},
      {"truncate", "length?,killwords?,end?,leeway?", truncate},
      {"upper", "", [](S& s, const V& v, const P&) { return change_case(s, to_str(s, v), CaseChange::kUpper); }},
      {"urlencode", "", urlencode},
      {"wordcount", "", word_count},
  };
  return kTable;
}

}  // namespace hearth::jinja
