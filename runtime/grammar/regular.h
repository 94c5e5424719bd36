// What texts several regular expressions have in common.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/grammar/grammar.h"

namespace hearth {

// As rules (the first is the root, their indices count from 0), each a choice of a character and another rule. `parts`
// call no rules. Throws kInvalidArgument where that takes too many rules.
std::vector<Expr> intersection(std::span<const Expr> parts);

// A text of any characters that is none of `texts`, which are UTF-8.
Expr all_but(std::span<const std::string> texts);

}  // namespace hearth
