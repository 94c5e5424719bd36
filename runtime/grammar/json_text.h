// JSON as a grammar: strings whose content is given, numbers, literals, blanks.
#pragma once

#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "runtime/grammar/grammar.h"

namespace hearth::json_text {

// As dump() writes it, whole numbers without a point.
Expr literal(const nlohmann::ordered_json& value);

// Expressions over a string's characters as expressions over its spelling between the quotes: what cannot stand for
// itself is escaped.
Expr escaped(const Expr& content);
Expr quoted(const Expr& content);
// Of min to max characters, with all escapes that JSON has.
Expr any_string(int64_t min = 0, int64_t max = Expr::kUnbounded);

// A number of JSON; `min` and `max` with their openness. An integer is written without fraction and exponent, and so is
// whatever has bounds without exponent. Throws kInvalidArgument for bounds beyond 10^15.
struct Bound {
  double value;
  bool exclusive;
};
struct NumberRange {
  std::optional<Bound> min, max;
};
Expr number(bool integer, const NumberRange& range);

}  // namespace hearth::json_text
