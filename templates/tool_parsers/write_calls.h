// Calls as a format spells them: what a model would have written.
#pragma once

#include <span>
#include <string>

#include "templates/llamafactory/tool_format.h"
#include "templates/tool_parsers/call_format.h"

namespace hearth {

// The whole of them, marks around them among it; at least one, and only
// one where the format takes no more. Arguments are objects.
std::string write_calls(const CallFormat& format, std::span<const ToolCall> calls);

}  // namespace hearth
