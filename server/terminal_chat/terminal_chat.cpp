#include "server/terminal_chat/terminal_chat.h"

#include <cstdio>
#include <cstdlib>
#include <optional>

#include <unistd.h>

#include "runtime/base/error.h"
#include "server/terminal_chat/line_reader.h"
#include "server/terminal_chat/message_reader.h"
#include "server/terminal_chat/spinner.h"

namespace hearth {
namespace {

void write_out(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

class TerminalChat {
 public:
  TerminalChat(ChatBackend& backend, ChatSession& session, const TerminalStyle& style, std::atomic<bool>& interrupted)
      : backend_(backend),
        session_(session),
        style_(style),
        interrupted_(interrupted),
        lines_(chat_history_file(), style.ansi) {}

  int run() {
    print_dim(fmt::format("{}  -  /help lists the commands, Ctrl-D leaves", backend_.model()));
    int interrupts = 0;  // in a row at an empty prompt
    for (std::string line;;) {
      switch (lines_.read(reader_.pending() ? ". " : "> ", line)) {
        case LineReader::End::kEndOfInput:
          return 0;
        case LineReader::End::kInterrupt:
          interrupts = line.empty() && !reader_.pending() ? interrupts + 1 : 0;
          reader_.clear();
          if (interrupts == 2) return 130;
          if (interrupts == 1) print_dim("Ctrl-C again or Ctrl-D leaves");
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
    try {
      if (!ChatSession::is_command(message)) {
        ask(message);
        return true;
      }
      const ChatSession::Reply reply = session_.run_command(message);
      if (!reply.text.empty()) print_dim(reply.text);
      return !reply.exit;
    } catch (const Error& error) {
      print_dim(printable(error.what()));
      return true;
    }
  }

  void ask(const std::string& message) {
    interrupted_ = false;
    Spinner spinner("thinking", style_.ansi);
    bool fresh_line = true;  // nothing of the answer is on the last line
    const ChatAnswer answer = [&] {
      try {
        return session_.ask(
            message,
            [&](std::string_view piece) {
              spinner.stop();
              const std::string text = printable(piece);
              if (!text.empty()) fresh_line = text.back() == '\n';
              write_out(text);
            },
            interrupted_);
      } catch (const Error&) {
        spinner.stop();
        if (!fresh_line) write_out("\n");
        throw;
      }
    }();
    spinner.stop();
    if (!fresh_line) write_out("\n");
    print_dim(summary(answer));
  }

  std::string summary(const ChatAnswer& answer) const {
    const ChatSession::Stats& stats = session_.last();
    std::string text = fmt::format("{} tokens", answer.completion_tokens);
    if (stats.tokens_per_second() > 0) text += fmt::format(", {:.1f} tokens/s", stats.tokens_per_second());
    if (answer.finish_reason == "cancelled") text += ", stopped";
    if (answer.finish_reason == "length")
      text += ", cut at max_tokens or the end of the context (/set max_tokens, /clear)";
    return text;
  }

  void print_dim(std::string_view text) const {
    write_out(style_.ansi ? fmt::format("\x1b[2m{}\x1b[0m\n", text) : fmt::format("{}\n", text));
  }

  ChatBackend& backend_;
  ChatSession& session_;
  const TerminalStyle style_;
  std::atomic<bool>& interrupted_;
  LineReader lines_;
  MessageReader reader_;
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

TerminalStyle terminal_style() {
  TerminalStyle style;
  style.interactive = ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  style.ansi = ::isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && std::string_view(term) != "dumb";
  return style;
}

std::filesystem::path chat_history_file() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state)
    return std::filesystem::path(state) / "hearth" / "chat_history";
  const char* home = std::getenv("HOME");
  return home && *home ? std::filesystem::path(home) / ".local/state/hearth/chat_history" : std::filesystem::path();
}

std::string printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F, the second set of control characters, is 0xC2 and the byte itself.
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      ++i;
      continue;
    }
    if ((c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t') out += text[i];
  }
  return out;
}

int chat_on_terminal(ChatBackend& backend, ChatSession& session, const TerminalStyle& style,
                     std::atomic<bool>& interrupted) {
  return TerminalChat(backend, session, style, interrupted).run();
}

int chat_through_pipe(ChatSession& session, std::atomic<bool>& interrupted) {
  std::string message = read_all_of_stdin();
  while (message.ends_with('\n') || message.ends_with('\r')) message.pop_back();
  if (message.find_first_not_of(" \t\r\n") == std::string::npos)
    throw invalid_argument("there is no message on stdin: echo 'What is 2+2?' | hearth chat");
  const bool terminal = ::isatty(STDOUT_FILENO);
  const ChatAnswer answer = session.ask(
      message, [&](std::string_view piece) { write_out(terminal ? printable(piece) : std::string(piece)); },
      interrupted);
  if (!answer.text.ends_with('\n')) write_out("\n");
  if (answer.finish_reason == "length")
    fmt::print(stderr, "hearth: the answer was cut at max_tokens or the end of the context\n");
  return answer.finish_reason == "cancelled" ? 130 : 0;
}

}  // namespace hearth
