#include "templates/jinja/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "templates/jinja/operators.h"
#include "templates/jinja/unicode.h"

namespace hearth::jinja {
namespace {

// Python quotes with ' unless the text has a ' and no ".
void append_string_repr(StringBuilder& out, const String& string) {
  const bool single = string.bytes.find('\'') != std::string::npos, both = string.bytes.find('"') != std::string::npos;
  const char quote = single && !both ? '"' : '\'';
  if (string.markup) out.append("Markup(");
  out.append({&quote, 1});
  for_each_piece(string, 0, string.bytes.size(), [&](std::string_view piece, bool literal) {
    std::string escaped;
    for (size_t i = 0; i < piece.size();) {
      const CodePoint c = decode(piece, i);
      if (c.value == static_cast<char32_t>(quote) || c.value == '\\') {
        escaped += '\\';
        escaped += static_cast<char>(c.value);
      } else if (c.value == '\n') {
        escaped += "\\n";
      } else if (c.value == '\r') {
        escaped += "\\r";
      } else if (c.value == '\t') {
        escaped += "\\t";
      } else if (is_printable(c.value)) {
        escaped += piece.substr(i, c.length);
      } else {
        const auto code = static_cast<uint32_t>(c.value);
        escaped += code < 0x100     ? fmt::format("\\x{:02x}", code)
                   : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                                    : fmt::format("\\U{:08x}", code);
      }
      i += c.length;
    }
    out.append(escaped, literal);
  });
  out.append({&quote, 1});
  if (string.markup) out.append(")");
}

void append_items(StringBuilder& out, const std::vector<Value>& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.append(", ");
    append_repr(out, items[i]);
  }
}

void append_dict(StringBuilder& out, const Dict& dict) {
  out.append("{");
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i > 0) out.append(", ");
    append_repr(out, dict.entries[i].first);
    out.append(": ");
    append_repr(out, dict.entries[i].second);
  }
  out.append("}");
}

void append_object(StringBuilder& out, const Value& value) {
  if (auto* space = value.object_as<Namespace>()) {
    out.append("<Namespace {");
    for (size_t i = 0; i < space->attributes.size(); ++i) {
      if (i > 0) out.append(", ");
      append_string_repr(out, {space->attributes[i].first, {}});
      out.append(": ");
      append_repr(out, space->attributes[i].second);
    }
    out.append("}>");
    return;
  }
  // The reference prints the address of most other objects, which no template can rely on.
  out.append(fmt::format("<{}>", type_name(value)));
}

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view scientific(buffer, static_cast<size_t>(end - buffer));
  const size_t e = scientific.find('e');
  int exponent = 0;
  const char* digits = scientific.data() + e + (scientific[e + 1] == '+' ? 2 : 1);
  std::from_chars(digits, end, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(scientific);
  const auto fixed = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  std::string out(buffer, fixed);
  return out.find('.') == std::string::npos ? out + ".0" : out;
}

std::string int_text(Int value) { return fmt::format("{}", value); }

void append_repr(StringBuilder& out, const Value& value) {
  const RenderState::Level level(out.state());
  out.state().step();
  switch (value.kind()) {
    case Kind::kUndefined:
      return out.append("Undefined");
    case Kind::kNone:
      return out.append("None");
    case Kind::kBool:
      return out.append(value.boolean() ? "True" : "False");
    case Kind::kInt:
      return out.append(int_text(value.integer()));
    case Kind::kFloat:
      return out.append(float_repr(value.floating()));
    case Kind::kString:
      return append_string_repr(out, value.string());
    case Kind::kList: {
      const bool tuple = value.list().type != List::Type::kList;
      out.append(tuple ? "(" : "[");
      append_items(out, value.list().items);
      if (tuple && value.list().items.size() == 1) out.append(",");
      return out.append(tuple ? ")" : "]");
    }
    case Kind::kDict:
      return append_dict(out, value.dict());
    case Kind::kView: {
      out.append(type_name(value));
      out.append("([");
      append_items(out, iterate(out.state(), value)->items);
      return out.append("])");
    }
    case Kind::kRange: {
      const Range& range = value.range();
      return out.append(range.step == 1 ? fmt::format("range({}, {})", range.start, range.stop)
                                        : fmt::format("range({}, {}, {})", range.start, range.stop, range.step));
    }
    case Kind::kObject:
      return append_object(out, value);
  }
}

void append_str(StringBuilder& out, const Value& value) {
  if (value.is(Kind::kString)) return out.append(value.string());
  if (value.is(Kind::kUndefined)) return;
  append_repr(out, value);
}

void append_html(StringBuilder& out, const Value& value) {
  const Value text = to_str(out.state(), value);
  if (text.string().markup) return out.append(text.string());
  for_each_piece(text.string(), 0, text.bytes().size(), [&](std::string_view piece, bool literal) {
    std::string escaped;
    for (const char c : piece) {
      switch (c) {
        case '&':
          escaped += "&amp;";
          break;
        case '<':
          escaped += "&lt;";
          break;
        case '>':
          escaped += "&gt;";
          break;
        case '\'':
          escaped += "&#39;";
          break;
        case '"':
          escaped += "&#34;";
          break;
        default:
          escaped += c;
      }
    }
    out.append(escaped, literal);
  });
}

Value to_str(RenderState& state, const Value& value) {
  if (value.is(Kind::kString)) return value;
  StringBuilder out(state);
  append_str(out, value);
  return out.value();
}

std::string repr(RenderState& state, const Value& value) {
  StringBuilder out(state);
  append_repr(out, value);
  return out.take().bytes;
}

std::string digits_of(Int value, int base, bool capitals) {
  const char* digits = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  auto rest = static_cast<unsigned __int128>(value);
  do {
    out += digits[static_cast<size_t>(rest % static_cast<unsigned>(base))];
    rest /= static_cast<unsigned>(base);
  } while (rest != 0);
  std::reverse(out.begin(), out.end());
  return out;
}

std::string format_float(double value, char conversion, int precision, bool alternate) {
  const bool capital = conversion >= 'A' && conversion <= 'Z';
  if (std::isnan(value)) return capital ? "NAN" : "nan";
  if (std::isinf(value)) return capital ? (value < 0 ? "-INF" : "INF") : (value < 0 ? "-inf" : "inf");
  const std::string format = fmt::format("%{}.*{}", alternate ? "#" : "", conversion);
  const int size = std::snprintf(nullptr, 0, format.c_str(), precision, value);
  std::string out(static_cast<size_t>(size) + 1, '\0');
  std::snprintf(out.data(), out.size(), format.c_str(), precision, value);
  out.pop_back();
  return out;
}

}  // namespace hearth::jinja
