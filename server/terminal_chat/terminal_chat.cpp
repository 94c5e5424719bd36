#include "server/terminal_chat/terminal_chat.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/base/error.h"
#include "server/terminal_chat/answer_view.h"
#include "server/terminal_chat/command_completion.h"
#include "server/terminal_chat/line_reader.h"
#include "server/terminal_chat/message_reader.h"
#include "server/terminal_chat/printable.h"
#include "server/terminal_chat/spinner.h"

namespace hearth {
namespace {

constexpr const char *kDim = "2", *kRed = "31";

class TerminalChat {
 public:
  TerminalChat(ChatBackend& backend, ChatSession& session, const TerminalStyle& style, std::atomic<bool>& interrupted)
      : backend_(backend),
        session_(session),
        style_(style),
        interrupted_(interrupted),
        lines_(chat_history_file(), style.escapes,
               [this](std::string_view typed) { return complete_command(typed, backend_); }) {}

  int run() {
    print(kDim, fmt::format("{}  -  /help lists the commands, Ctrl-D leaves", backend_.model()));
    int interrupts = 0;  // in a row at an empty prompt
    for (std::string line;;) {
      const char* prompt = place_ == ChatSession::Place::kLast ? "edit> " : "> ";
      switch (lines_.read(reader_.pending() ? ". " : prompt, line, std::exchange(prefill_, {}))) {
        case LineReader::End::kEndOfInput:
          return 0;
        case LineReader::End::kInterrupt:
          interrupts = line.empty() && !reader_.pending() ? interrupts + 1 : 0;
          reader_.clear();
          place_ = ChatSession::Place::kNext;
          if (interrupts == 2) return 130;
          if (interrupts == 1) print(kDim, "Ctrl-C again or Ctrl-D leaves");
          continue;
        case LineReader::End::kLine:
          break;
      }
      interrupts = 0;
      const std::optional<std::string> message = reader_.add(line);
      if (!message || message->find_first_not_of(" \t\n") == std::string::npos) continue;
      lines_.remember(*message);
      if (!take(*message)) return 0;
    }
  }

 private:
  // False: the user wants to leave. Errors end the command or the answer, not the session.
  bool take(const std::string& message) {
    const ChatSession::Place place = std::exchange(place_, ChatSession::Place::kNext);
    if (place == ChatSession::Place::kLast || !ChatSession::is_command(message)) {
      ask(message, place);
      return true;
    }
    try {
      const ChatSession::Reply reply = [&] {
        const Spinner spinner("one moment", style_.colors);
        return session_.run_command(message);
      }();
      if (!reply.text.empty()) write_out(printable(reply.text) + "\n");
      if (reply.ask) ask(*reply.ask, ChatSession::Place::kLast);
      if (reply.edit) {
        prefill_ = *reply.edit;
        place_ = ChatSession::Place::kLast;
      }
      return !reply.exit;
    } catch (const Error& error) {
      print(kRed, error.what());
      return true;
    }
  }

  void ask(const std::string& message, ChatSession::Place place) {
    interrupted_ = false;
    AnswerView view(style_);
    try {
      const ChatAnswer answer = session_.ask(
          message, [&](std::string_view piece) { view.show(piece); }, interrupted_, place);
      view.end();
      print(kDim, summary(answer) + "\n");
    } catch (const Error& error) {
      view.end();
      const bool next = place == ChatSession::Place::kNext;
      print(kRed, fmt::format("{} ({})", error.what(),
                              next ? "arrow-up brings the message back" : "the answer before is kept") +
                      "\n");
    }
  }

  std::string summary(const ChatAnswer& answer) const {
    const ChatSession::Stats& stats = session_.last();
    std::string text = fmt::format("{} tokens", answer.completion_tokens);
    if (stats.tokens_per_second() > 0) text += fmt::format(", {:.1f} tokens/s", stats.tokens_per_second());
    if (answer.finish_reason == "cancelled") text += ", stopped";
    if (answer.finish_reason == "length") text += ", cut at " + limit(answer);
    return text;
  }

  std::string limit(const ChatAnswer& answer) const {
    const std::optional<int64_t> max_tokens = session_.settings().max_tokens;
    if (max_tokens && answer.completion_tokens >= *max_tokens) return "max_tokens (/set)";
    return backend_.max_context() > 0 ? "the end of the context (/clear, /undo)" : "a limit of the server";
  }

  // A line of ours, which may name what others wrote.
  void print(const char* attribute, std::string_view text) const {
    const std::string shown = printable(text);
    write_out(style_.colors ? fmt::format("\x1b[{}m{}\x1b[0m\n", attribute, shown) : shown + "\n");
  }

  ChatBackend& backend_;
  ChatSession& session_;
  const TerminalStyle style_;
  std::atomic<bool>& interrupted_;
  LineReader lines_;
  MessageReader reader_;
  ChatSession::Place place_ = ChatSession::Place::kNext;  // of the next message
  std::string prefill_;                                   // what stands on the next line already
};

std::string read_all_of_stdin() {
  constexpr size_t kMaxMessage = size_t{64} << 20;
  std::string text;
  char buffer[1 << 16];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof(buffer), stdin)) > 0;) {
    text.append(buffer, n);
    if (text.size() > kMaxMessage) throw resource_exhausted("stdin: a message of more than {} bytes", kMaxMessage);
  }
  return text;
}

}  // namespace

std::filesystem::path chat_history_file() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state)
    return std::filesystem::path(state) / "hearth" / "chat_history";
  const char* home = std::getenv("HOME");
  return home && *home ? std::filesystem::path(home) / ".local/state/hearth/chat_history" : std::filesystem::path();
}

int chat_on_terminal(ChatBackend& backend, ChatSession& session, const TerminalStyle& style,
                     std::atomic<bool>& interrupted) {
  return TerminalChat(backend, session, style, interrupted).run();
}

int chat_through_pipe(ChatSession& session, const TerminalStyle& style, std::atomic<bool>& interrupted) {
  std::string message = read_all_of_stdin();
  while (message.ends_with('\n') || message.ends_with('\r')) message.pop_back();
  if (message.find_first_not_of(" \t\r\n") == std::string::npos)
    throw invalid_argument("there is no message on stdin: echo 'What is 2+2?' | hearth chat");
  AnswerView view(style);
  const ChatAnswer answer = session.ask(
      message, [&](std::string_view piece) { view.show(piece); }, interrupted);
  view.end();
  if (answer.text.empty()) write_out("\n");
  if (answer.finish_reason == "length")
    fmt::print(stderr, "hearth: the answer was cut at max_tokens or the end of the context\n");
  return answer.finish_reason == "cancelled" ? 130 : 0;
}

}  // namespace hearth
