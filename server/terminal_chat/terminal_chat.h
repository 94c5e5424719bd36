// `hearth chat` as the user sees it: a conversation with line editing on a terminal, or one message and its answer
// through a pipe.
#pragma once

#include <atomic>
#include <filesystem>

#include "server/terminal_chat/chat_session.h"
#include "server/terminal_chat/terminal_style.h"

namespace hearth {

// XDG_STATE_HOME/hearth/chat_history, by default below ~/.local/state; empty without a home.
std::filesystem::path chat_history_file();

// Both return the exit code: 0, or 130 when interrupted. `interrupted` is set by Ctrl-C.
int chat_on_terminal(ChatBackend& backend, ChatSession& session, const TerminalStyle& style,
                     std::atomic<bool>& interrupted);
// All of stdin is one message; stdout gets the answer and a line break. Throws kInvalidArgument for an empty message.
int chat_through_pipe(ChatSession& session, const TerminalStyle& style, std::atomic<bool>& interrupted);

}  // namespace hearth
