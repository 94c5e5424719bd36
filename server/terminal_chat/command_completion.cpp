#include "server/terminal_chat/command_completion.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "runtime/base/error.h"
#include "server/terminal_chat/chat_session.h"
#include "server/terminal_chat/printable.h"

namespace hearth {
namespace {
namespace fs = std::filesystem;

std::vector<std::string> strings(const std::vector<std::string_view>& views) { return {views.begin(), views.end()}; }

// The entries of the directory that `word` is in, spelled as it is.
std::vector<std::string> paths(const std::string& word) {
  const std::string directory = word.substr(0, word.rfind('/') + 1);
  const char* home = std::getenv("HOME");
  const bool in_home = directory.starts_with("~/") && home;
  const fs::path place = in_home ? fs::path(home) / directory.substr(2) : fs::path(directory.empty() ? "." : directory);
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator entry(place, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (!name.starts_with('.')) found.push_back(directory + name + (entry->is_directory(ignored) ? "/" : ""));
  }
  return found;
}

}  // namespace

std::vector<std::string> complete_command(std::string_view typed, const ChatBackend& backend) {
  if (!typed.starts_with('/')) return {};
  std::vector<std::string> words(1);
  for (const char c : typed) {
    if (c != ' ')
      words.back() += c;
    else if (!words.back().empty())
      words.emplace_back();
  }
  const std::string& word = words.back();
  std::vector<std::string> found;
  if (words.size() == 1) {
    found = strings(ChatSession::command_names());
  } else if (words[0] == "/set" && words.size() == 2) {
    found = strings(ChatSettings::names());
  } else if (words[0] == "/model" && words.size() == 2) {
    try {
      found = backend.models();
    } catch (const Error&) {
      return {};
    }
  } else if (words[0] == "/save" || words[0] == "/load" || words[0] == "/model") {
    found = paths(word);
  }
  std::erase_if(found, [&](const std::string& name) { return !name.starts_with(word) || printable(name) != name; });
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace hearth
