#include "server/terminal_chat/chat_session.h"

#include <chrono>
#include <cstdlib>
#include <functional>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

// The first word and the rest.
std::pair<std::string_view, std::string_view> first_word(std::string_view text) {
  text = trimmed(text);
  const size_t end = std::min(text.find_first_of(" \t\n"), text.size());
  return {text.substr(0, end), trimmed(text.substr(end))};
}

std::filesystem::path file_argument(std::string_view text, const char* command) {
  if (text.empty()) throw invalid_argument("{} needs a file: {} chat.json", command, command);
  const char* home = std::getenv("HOME");
  if (text.starts_with("~/") && home) return std::filesystem::path(home) / text.substr(2);
  return text;
}

ordered_json message(const char* role, const std::string& content) { return {{"role", role}, {"content", content}}; }

std::string string_at(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The messages in a saved file: an array, or an object (a request of the HTTP API, say) that has one.
ordered_json parse_messages(const std::string& text, const std::filesystem::path& path) {
  ordered_json json = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("messages")) json = ordered_json(json["messages"]);
  if (!json.is_array()) throw invalid_argument("{}: must be a JSON array of messages", path.string());
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string role = json[i].is_object() ? string_at(json[i], "role") : "";
    const bool known = (role == "system" && i == 0) || role == "user" || role == "assistant";
    if (!known || !json[i].contains("content") || !json[i]["content"].is_string())
      throw invalid_argument("{}: message {} must have 'role' (user, assistant; system first) and 'content', a text",
                             path.string(), i);
  }
  return json;
}

std::string describe(const ChatSession::Stats& stats) {
  std::string text = fmt::format("{} prompt tokens ({} from the cache), {} generated", stats.prompt_tokens,
                                 stats.cached_tokens, stats.completion_tokens);
  if (stats.seconds > 0) text += fmt::format(", {:.1f} tokens/s", stats.tokens_per_second());
  return text;
}

}  // namespace

struct ChatSession::Command {
  std::string_view name, arguments, help;
  std::function<Reply(ChatSession&, std::string_view)> run;
};

const std::vector<ChatSession::Command>& ChatSession::commands() {
  static const std::vector<Command> table = {
      {"/help", "", "this list", [](ChatSession& s, std::string_view) { return s.help(); }},
      {"/clear", "", "forget the conversation, keep the system message",
       [](ChatSession& s, std::string_view) {
         s.messages_.clear();
         return Reply{"the conversation is empty", false};
       }},
      {"/system", "[TEXT]", "set the system message; without TEXT remove it",
       [](ChatSession& s, std::string_view text) { return s.set_system(text); }},
      {"/set", "[NAME VALUE]", "set a sampling parameter (VALUE default: unset it); without arguments show them",
       [](ChatSession& s, std::string_view arguments) { return s.set(arguments); }},
      {"/save", "FILE", "write the messages as JSON",
       [](ChatSession& s, std::string_view path) { return s.save(path); }},
      {"/load", "FILE", "go on with the messages of a file",
       [](ChatSession& s, std::string_view path) { return s.load(path); }},
      {"/stats", "", "tokens and speed of the last answer and of the session",
       [](ChatSession& s, std::string_view) { return s.stats(); }},
      {"/exit", "", "leave (also Ctrl-D, or Ctrl-C twice at an empty prompt)",
       [](ChatSession&, std::string_view) {
         return Reply{"", true};
       }},
  };
  return table;
}

std::vector<std::string_view> ChatSession::command_names() {
  std::vector<std::string_view> names;
  for (const Command& command : commands()) names.push_back(command.name);
  return names;
}

ChatSession::ChatSession(ChatBackend& backend, std::string system, ChatSettings settings)
    : backend_(backend), system_(std::move(system)), settings_(settings) {}

bool ChatSession::is_command(std::string_view line) {
  const std::string_view word = first_word(line).first;
  return word.starts_with('/') && word.find('/', 1) == std::string_view::npos;
}

ChatSession::Reply ChatSession::run_command(std::string_view line) {
  const auto [word, arguments] = first_word(line);
  for (const Command& command : commands()) {
    if (command.name != word) continue;
    if (command.arguments.empty() && !arguments.empty())
      throw invalid_argument("{} takes no arguments, found '{}'", word, arguments);
    return command.run(*this, arguments);
  }
  throw invalid_argument("no command {}{}; /help lists them", word, did_you_mean(word, command_names()));
}

ChatSession::Reply ChatSession::help() const {
  Reply reply;
  for (const Command& command : commands())
    reply.text += fmt::format("{:<22} {}\n", fmt::format("{} {}", command.name, command.arguments), command.help);
  reply.text += "A line that ends with \\ goes on with the next one; \"\"\" begins and ends a block of lines.\n";
  reply.text += "Ctrl-C stops an answer.";
  return reply;
}

ChatSession::Reply ChatSession::set_system(std::string_view text) {
  system_ = trimmed(text);
  return {system_.empty() ? "no system message" : "the system message is set; it applies from the next answer on",
          false};
}

ChatSession::Reply ChatSession::set(std::string_view arguments) {
  const auto [name, value] = first_word(arguments);
  if (!name.empty()) {
    if (value.empty()) throw invalid_argument("/set {} needs a value", name);
    settings_.set(name, value);
  }
  const ordered_json set = settings_.to_json();
  Reply reply;
  for (const auto& [key, number] : set.items())
    reply.text += fmt::format("{}{} {}", reply.text.empty() ? "" : ", ", key, number.dump());
  if (reply.text.empty()) reply.text = "nothing is set: the model's defaults apply";
  return reply;
}

ordered_json ChatSession::conversation() const {
  ordered_json all = ordered_json::array();
  if (!system_.empty()) all.push_back(message("system", system_));
  all.insert(all.end(), messages_.begin(), messages_.end());
  return all;
}

ChatSession::Reply ChatSession::save(std::string_view argument) const {
  const std::filesystem::path path = file_argument(argument, "/save");
  write_file_atomic(path, conversation().dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  return {fmt::format("{} messages saved to {}", conversation().size(), path.string()), false};
}

ChatSession::Reply ChatSession::load(std::string_view argument) {
  const std::filesystem::path path = file_argument(argument, "/load");
  ordered_json loaded = parse_messages(read_file(path), path);
  const size_t count = loaded.size();
  system_.clear();
  if (!loaded.empty() && loaded[0]["role"] == "system") {
    system_ = loaded[0]["content"];
    loaded.erase(loaded.begin());
  }
  messages_ = std::move(loaded);
  return {fmt::format("{} messages loaded from {}", count, path.string()), false};
}

ChatSession::Reply ChatSession::stats() const {
  if (total_.answers == 0) return {"no answer yet", false};
  Reply reply;
  reply.text = fmt::format("last answer: {}, first text after {:.2f} s\nsession: {} answers, {}", describe(last_),
                           last_.first_text_seconds, total_.answers, describe(total_));
  if (backend_.max_context() > 0)
    reply.text += fmt::format("\ncontext: {} of {} tokens", last_.prompt_tokens + last_.completion_tokens,
                              backend_.max_context());
  return reply;
}

ChatAnswer ChatSession::ask(const std::string& text, const ChatBackend::OnText& on_text,
                            const std::atomic<bool>& stop) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_between = [](Clock::time_point a, Clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
  };
  ordered_json asked = conversation();
  asked.push_back(message("user", text));
  const Clock::time_point begin = Clock::now();
  Clock::time_point first = begin;
  ChatAnswer answer;
  try {
    answer = backend_.answer(
        asked, settings_,
        [&](std::string_view piece) {
          if (first == begin) first = Clock::now();
          on_text(piece);
        },
        stop);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kResourceExhausted) throw;
    throw resource_exhausted("{}; /clear begins a new conversation", error.what());
  }
  last_ = {1,
           answer.prompt_tokens,
           answer.cached_tokens,
           answer.completion_tokens,
           seconds_between(begin, first),
           seconds_between(first, Clock::now())};
  total_.answers += 1;
  total_.prompt_tokens += last_.prompt_tokens;
  total_.cached_tokens += last_.cached_tokens;
  total_.completion_tokens += last_.completion_tokens;
  total_.seconds += last_.seconds;
  if (answer.text.empty() && answer.finish_reason == "cancelled") return answer;
  messages_.push_back(message("user", text));
  messages_.push_back(message("assistant", answer.text));
  return answer;
}

}  // namespace hearth
