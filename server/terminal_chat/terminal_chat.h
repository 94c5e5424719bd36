// `hearth chat` as the user sees it: a conversation with line editing on a terminal, or one message and its answer
// through a pipe.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>

#include "server/terminal_chat/chat_session.h"

namespace hearth {

struct TerminalStyle {
  bool interactive = false;  // stdin and stdout are terminals
  bool ansi = false;         // escape sequences are welcome: a terminal, not TERM=dumb, no NO_COLOR
};
TerminalStyle terminal_style();

// XDG_STATE_HOME/hearth/chat_history, by default below ~/.local/state; empty without a home.
std::filesystem::path chat_history_file();

// Without control characters, so that an answer cannot drive the terminal; line breaks and tabs stay. `text`: whole
// UTF-8 characters.
std::string printable(std::string_view text);

// Both return the exit code: 0, or 130 when interrupted. `interrupted` is set by Ctrl-C.
int chat_on_terminal(ChatBackend& backend, ChatSession& session, const TerminalStyle& style,
                     std::atomic<bool>& interrupted);
// All of stdin is one message; stdout gets the answer and a line break. Throws kInvalidArgument for an empty message.
int chat_through_pipe(ChatSession& session, std::atomic<bool>& interrupted);

}  // namespace hearth
