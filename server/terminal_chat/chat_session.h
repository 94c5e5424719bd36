// A conversation and the commands that act on it; knows nothing of terminals.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "server/terminal_chat/chat_backend.h"

namespace hearth {

class ChatSession {
 public:
  ChatSession(ChatBackend& backend, std::string system, ChatSettings settings = {});

  // What the last answer and the whole session took.
  struct Stats {
    int answers = 0, prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
    double first_text_seconds = 0;  // to the first piece of text
    double seconds = 0;             // of generation after it
    double tokens_per_second() const { return seconds > 0 ? (completion_tokens - answers) / seconds : 0; }
  };

  struct Reply {
    std::string text;  // to show; may be empty
    bool exit = false;
  };
  // True for lines that are commands: "/" and a word. A message may begin with a path ("/usr/bin is ...").
  static bool is_command(std::string_view line);
  // Throws kInvalidArgument and what reading and writing files throws.
  Reply run_command(std::string_view line);

  // Adds the message and its answer to the conversation; a stopped answer is kept as far as it came. When this throws,
  // the conversation is as before.
  ChatAnswer ask(const std::string& message, const ChatBackend::OnText& on_text, const std::atomic<bool>& stop);

  const nlohmann::ordered_json& messages() const { return messages_; }
  const Stats& last() const { return last_; }
  static std::vector<std::string_view> command_names();

 private:
  struct Command;
  static const std::vector<Command>& commands();
  Reply help() const;
  Reply set(std::string_view arguments);
  Reply set_system(std::string_view text);
  Reply save(std::string_view path) const;
  Reply load(std::string_view path);
  Reply stats() const;
  nlohmann::ordered_json conversation() const;  // with the system message

  ChatBackend& backend_;
  std::string system_;
  nlohmann::ordered_json messages_ = nlohmann::ordered_json::array();  // without it
  ChatSettings settings_;
  Stats last_, total_;
};

}  // namespace hearth
