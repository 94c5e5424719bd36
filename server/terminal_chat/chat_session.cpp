#include "server/terminal_chat/chat_session.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <utility>

#include "runtime/base/error.h"
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
      {"/model", "[NAME [ADAPTER]]", "list the models, or go on with another one",
       [](ChatSession& s, std::string_view arguments) { return s.switch_model(arguments); }},
      {"/system", "[TEXT]", "set the system message; without TEXT remove it",
       [](ChatSession& s, std::string_view text) { return s.set_system(text); }},
      {"/set", "[NAME VALUE]", "show or set sampling parameters (default: unset)",
       [](ChatSession& s, std::string_view arguments) { return s.set(arguments); }},
      {"/regenerate", "", "answer the last message anew",
       [](ChatSession& s, std::string_view) { return Reply{.ask = s.last_question()}; }},
      {"/edit", "[TEXT]", "change the last message and answer it anew",
       [](ChatSession& s, std::string_view text) { return s.edit(text); }},
      {"/undo", "", "forget the last message and its answer",
       [](ChatSession& s, std::string_view) { return s.undo(); }},
      {"/clear", "", "forget the conversation, keep the system message",
       [](ChatSession& s, std::string_view) {
         s.talk_.messages.clear();
         s.talk_.title.clear();
         return Reply{"the conversation is empty"};
       }},
      {"/save", "FILE", "write the conversation as JSON",
       [](ChatSession& s, std::string_view path) { return s.save(path); }},
      {"/load", "FILE", "go on with a saved conversation",
       [](ChatSession& s, std::string_view path) { return s.load(path); }},
      {"/stats", "", "tokens and speed of the last answer and of the session",
       [](ChatSession& s, std::string_view) { return s.stats(); }},
      {"/exit", "", "leave (also Ctrl-D, or Ctrl-C twice)",
       [](ChatSession&, std::string_view) { return Reply{.exit = true}; }},
  };
  return table;
}

std::vector<std::string_view> ChatSession::command_names() {
  std::vector<std::string_view> names;
  for (const Command& command : commands()) names.push_back(command.name);
  return names;
}

ChatSession::ChatSession(ChatBackend& backend, std::string system, ChatSettings settings)
    : backend_(backend), settings_(settings) {
  talk_.system = std::move(system);
}

bool ChatSession::is_command(std::string_view line) {
  const std::string_view word = first_word(line).first;
  return word.starts_with('/') && word.find('/', 1) == std::string_view::npos;
}

ChatSession::Reply ChatSession::run_command(std::string_view line) {
  const auto [word, arguments] = first_word(line);
  std::vector<const Command*> begin_so;  // a beginning that fits one command is enough: /regen
  for (const Command& command : commands())
    if (command.name == word) {
      begin_so = {&command};
      break;
    } else if (command.name.starts_with(word)) {
      begin_so.push_back(&command);
    }
  if (begin_so.size() > 1) {
    std::string names;
    for (const Command* command : begin_so) names += fmt::format("{}{}", names.empty() ? "" : ", ", command->name);
    throw invalid_argument("{} may be {}", word, names);
  }
  if (begin_so.empty())
    throw invalid_argument("no command {}{}; /help lists them", word, did_you_mean(word, command_names()));
  const Command& command = *begin_so.front();
  if (command.arguments.empty() && !arguments.empty())
    throw invalid_argument("{} takes no arguments, found '{}'", command.name, arguments);
  return command.run(*this, arguments);
}

ChatSession::Reply ChatSession::help() const {
  Reply reply;
  for (const Command& command : commands())
    reply.text += fmt::format("{:<24} {}\n", fmt::format("{} {}", command.name, command.arguments), command.help);
  reply.text +=
      "Tab completes commands; their beginning is enough. Ctrl-C stops an answer.\n"
      "A line that ends with \\ goes on; \"\"\" begins and ends a block of lines.";
  return reply;
}

ChatSession::Reply ChatSession::switch_model(std::string_view arguments) {
  const auto [name, adapter] = first_word(arguments);
  if (!name.empty()) {
    backend_.use(std::string(name), adapter.empty() ? "" : file_argument(adapter, "/model").string());
    return {fmt::format("{} answers from now on", backend_.model())};
  }
  std::vector<std::string> names = backend_.models();
  if (std::find(names.begin(), names.end(), backend_.model()) == names.end())
    names.insert(names.begin(), backend_.model());
  Reply reply;
  for (const std::string& known : names)
    reply.text += fmt::format("{}{} {}", reply.text.empty() ? "" : "\n", known == backend_.model() ? '*' : ' ', known);
  return reply;
}

ChatSession::Reply ChatSession::set_system(std::string_view text) {
  talk_.system = trimmed(text);
  return {talk_.system.empty() ? "no system message" : "the system message is set; it applies from the next answer on"};
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

ordered_json ChatSession::messages_before(Place place) const {
  ordered_json before = talk_.messages;
  if (place == Place::kNext) return before;
  while (!before.empty() && before.back()["role"] != "user") before.erase(before.size() - 1);
  if (!before.empty()) before.erase(before.size() - 1);
  return before;
}

std::string ChatSession::last_question() const {
  for (size_t i = talk_.messages.size(); i-- > 0;)
    if (talk_.messages[i]["role"] == "user") return talk_.messages[i]["content"];
  throw failed_precondition("there is no message yet");
}

ChatSession::Reply ChatSession::edit(std::string_view text) const {
  std::string last = last_question();
  if (text.empty()) return {.edit = std::move(last)};
  return {.ask = std::string(text)};
}

ChatSession::Reply ChatSession::undo() {
  last_question();
  talk_.messages = messages_before(Place::kLast);
  return {fmt::format("the last message and its answer are gone; {} messages are left", talk_.messages.size())};
}

ChatSession::Reply ChatSession::save(std::string_view argument) const {
  const std::filesystem::path path = file_argument(argument, "/save");
  Conversation talk = talk_;
  talk.model = backend_.model();
  write_conversation(talk, path);
  return {fmt::format("{} messages saved to {}", talk.messages.size(), path.string())};
}

ChatSession::Reply ChatSession::load(std::string_view argument) {
  const std::filesystem::path path = file_argument(argument, "/load");
  talk_ = read_conversation(path);
  Reply reply;
  reply.text = fmt::format("{} messages loaded from {}", talk_.messages.size(), path.string());
  if (const std::string title = talk_.title_or_beginning(); !title.empty()) reply.text += fmt::format(" ({})", title);
  if (!talk_.model.empty() && talk_.model != backend_.model())
    reply.text += fmt::format("; {} answered them", talk_.model);
  return reply;
}

ChatSession::Reply ChatSession::stats() const {
  if (total_.answers == 0) return {"no answer yet"};
  Reply reply;
  reply.text = fmt::format("last answer: {}, first text after {:.2f} s\nsession: {} answers, {}", describe(last_),
                           last_.first_text_seconds, total_.answers, describe(total_));
  if (backend_.max_context() > 0)
    reply.text += fmt::format("\ncontext: {} of {} tokens", last_.prompt_tokens + last_.completion_tokens,
                              backend_.max_context());
  return reply;
}

ChatAnswer ChatSession::ask(const std::string& text, const ChatBackend::OnText& on_text, const std::atomic<bool>& stop,
                            Place place) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_between = [](Clock::time_point a, Clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
  };
  ordered_json messages = messages_before(place);
  messages.push_back(message("user", text));
  ordered_json asked = ordered_json::array();
  if (!talk_.system.empty()) asked.push_back(message("system", talk_.system));
  asked.insert(asked.end(), messages.begin(), messages.end());
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
  count(answer, seconds_between(begin, first), seconds_between(first, Clock::now()));
  if (answer.text.empty() && answer.finish_reason == "cancelled") return answer;
  messages.push_back(message("assistant", answer.text));
  talk_.messages = std::move(messages);
  return answer;
}

void ChatSession::count(const ChatAnswer& answer, double first_text_seconds, double seconds) {
  last_ = {1, answer.prompt_tokens, answer.cached_tokens, answer.completion_tokens, first_text_seconds, seconds};
  total_.answers += 1;
  total_.prompt_tokens += last_.prompt_tokens;
  total_.cached_tokens += last_.cached_tokens;
  total_.completion_tokens += last_.completion_tokens;
  total_.seconds += last_.seconds;
}

}  // namespace hearth
