// Regular expressions as JSON Schema's `pattern` has them: ECMAScript's (ECMA-262, section 22.2.1, flag u), without
// what no automaton does (lookaround, back references, word boundaries).
#pragma once

#include <string_view>

#include "runtime/grammar/grammar.h"

namespace hearth {

// The texts that have a match; without ^ and $ it may lie anywhere in them. Throws kInvalidArgument with the position
// and what is not supported.
Expr parse_regex(std::string_view pattern);

}  // namespace hearth
