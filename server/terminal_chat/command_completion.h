// What Tab offers while a command is typed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/terminal_chat/chat_backend.h"

namespace hearth {

// Whole words that may stand where the last word of `typed` stands: commands, settings, models, paths (a directory ends
// with '/'); nothing for a message, nor where asking for them fails.
std::vector<std::string> complete_command(std::string_view typed, const ChatBackend& backend);

}  // namespace hearth
