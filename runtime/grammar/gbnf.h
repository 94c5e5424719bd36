// Grammars in llama.cpp's notation (grammars/README.md there): rules `name ::= ...` of "texts", [character classes],
// other rules, groups, alternatives, * + ? {m,n}; `root` is the whole.
#pragma once

#include <string_view>

#include "runtime/grammar/grammar.h"

namespace hearth {

// Throws kInvalidArgument with line and column.
Grammar parse_gbnf(std::string_view text);

}  // namespace hearth
