// Every occurrence of a string, or match of a regular expression, replaced.
#pragma once

#include <string>
#include <string_view>

#include "runtime/tokenizer/regex.h"

namespace hearth {

// An empty `pattern` occurs nowhere.
std::string replace_all(std::string_view text, std::string_view pattern, std::string_view content);
std::string replace_all(std::string_view text, const Regex& pattern, std::string_view content);

}  // namespace hearth
