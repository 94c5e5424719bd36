// A conversation and the commands that act on it; knows nothing of terminals.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/terminal_chat/chat_backend.h"
#include "server/terminal_chat/conversation_file.h"

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

  // Where a message goes: after the others, or in place of the last one and its answer.
  enum class Place { kNext, kLast };
  struct Reply {
    std::string text = {};  // to show; may be empty
    bool exit = false;
    std::optional<std::string> ask = {};   // a message to ask now, at Place::kLast
    std::optional<std::string> edit = {};  // a message for the user to edit, and then to ask there
  };
  // True for lines that are commands: "/" and a word. A message may begin with a path ("/usr/bin is ...").
  static bool is_command(std::string_view line);
  // Throws kInvalidArgument and what reading and writing files throws.
  Reply run_command(std::string_view line);

  // Adds the message and its answer to the conversation; a stopped answer is kept as far as it came. When this throws,
  // the conversation is as before.
  ChatAnswer ask(const std::string& message, const ChatBackend::OnText& on_text, const std::atomic<bool>& stop,
                 Place place = Place::kNext);

  const nlohmann::ordered_json& messages() const { return talk_.messages; }
  const ChatSettings& settings() const { return settings_; }
  const Stats& last() const { return last_; }
  static std::vector<std::string_view> command_names();

 private:
  struct Command;
  static const std::vector<Command>& commands();
  Reply help() const;
  Reply switch_model(std::string_view arguments);
  Reply set(std::string_view arguments);
  Reply set_system(std::string_view text);
  Reply edit(std::string_view text) const;
  Reply undo();
  Reply save(std::string_view path) const;
  Reply load(std::string_view path);
  Reply stats() const;
  std::string last_question() const;  // throws kFailedPrecondition when there is none
  nlohmann::ordered_json messages_before(Place place) const;
  void count(const ChatAnswer& answer, double first_text_seconds, double seconds);

  ChatBackend& backend_;
  Conversation talk_;
  ChatSettings settings_;
  Stats last_, total_;
};

}  // namespace hearth
