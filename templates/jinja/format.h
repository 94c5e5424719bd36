// Values as text: Python's str() and repr(), json.dumps, %-formatting and str.format.
#pragma once

#include <optional>
#include <string>

#include "templates/jinja/render_state.h"
#include "templates/jinja/value.h"

namespace hearth::jinja {

struct Arguments;

std::string float_repr(double value);
std::string int_text(Int value);

void append_str(StringBuilder& out, const Value& value);
void append_repr(StringBuilder& out, const Value& value);
// The value itself when it is a string.
Value to_str(RenderState& state, const Value& value);
std::string repr(RenderState& state, const Value& value);

// The text with &, <, >, ' and " replaced, as it is when it is markup already.
void append_html(StringBuilder& out, const Value& value);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // one level of it
  std::string item_separator = ", ", key_separator = ": ";
};
void append_json(StringBuilder& out, const Value& value, const JsonStyle& style);

// format % values
Value percent_format(RenderState& state, const String& format, const Value& values);
// format.format(arguments)
Value brace_format(RenderState& state, const Value& format, const Arguments& arguments);

// A number in C's notation for a conversion of e, f, g and their capitals.
std::string format_float(double value, char conversion, int precision, bool alternate = false);
// The digits of a non-negative integer.
std::string digits_of(Int value, int base, bool capitals = false);

}  // namespace hearth::jinja
