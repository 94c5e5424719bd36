#include "models/hub_cache.h"

#include <algorithm>
#include <cstdlib>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

fs::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? fs::path(value) : fs::path();
}

fs::path cache_home() {
  if (fs::path path = from_environment("XDG_CACHE_HOME"); !path.empty()) return path;
  fs::path home = from_environment("HOME");
  if (home.empty()) throw failed_precondition("neither XDG_CACHE_HOME nor HOME is set: set one, models are kept there");
  return home / ".cache";
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// Hub names: letters, digits, '-', '_' and '.', not beginning with '.' or '-', and no ".." or "--" (the separator on
// disk).
bool is_repo_part(std::string_view part) {
  return !part.empty() && part.size() <= 96 && part.front() != '.' && part.front() != '-' &&
         std::all_of(part.begin(), part.end(), is_name_character) && part.find("..") == std::string_view::npos &&
         part.find("--") == std::string_view::npos;
}

bool is_repo(std::string_view repo) {
  const size_t slash = repo.find('/');
  return slash != std::string_view::npos && is_repo_part(repo.substr(0, slash)) && is_repo_part(repo.substr(slash + 1));
}

// Splits without judging the parts.
HubReference split(std::string_view text) {
  HubReference reference;
  if (const size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    reference.selector = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    reference.revision = text.substr(at + 1);
    text = text.substr(0, at);
  }
  reference.repo = text;
  return reference;
}

}  // namespace

std::string HubReference::to_string() const {
  std::string text = repo;
  if (revision != "main") text += "@" + revision;
  if (!selector.empty()) text += ":" + selector;
  return text;
}

bool is_hub_reference(std::string_view text) {
  const HubReference reference = split(text);
  const bool selector_is_good = std::all_of(reference.selector.begin(), reference.selector.end(), is_name_character) &&
                                (reference.selector.empty() ? text.find(':') == std::string_view::npos : true);
  return is_repo(reference.repo) && is_safe_relative_path(reference.revision) && selector_is_good;
}

HubReference parse_hub_reference(std::string_view text) {
  if (!is_hub_reference(text))
    throw invalid_argument("'{}' is not a repository of a model hub: org/name, org/name@revision or org/name:Q4_K_M",
                           text);
  return split(text);
}

fs::path hub_home() {
  if (fs::path path = from_environment("HF_HOME"); !path.empty()) return path;
  return cache_home() / "huggingface";
}

fs::path hub_cache_directory() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (fs::path path = from_environment(name); !path.empty()) return path;
  return hub_home() / "hub";
}

fs::path hearth_cache_directory() { return cache_home() / "hearth"; }
fs::path model_cache_directory() { return hearth_cache_directory() / "models"; }

fs::path hub_repo_directory(std::string_view repo) {
  if (!is_repo(repo)) throw invalid_argument("'{}' is not a repository name (org/name)", repo);
  std::string folder = "models--" + std::string(repo);
  folder.replace(folder.find('/'), 1, "--");
  return hub_cache_directory() / folder;
}

fs::path hub_snapshot(const HubReference& reference) {
  const fs::path directory = hub_repo_directory(reference.repo);
  if (!is_safe_relative_path(reference.revision))
    throw invalid_argument("'{}' is not a revision of a repository", reference.revision);
  std::string commit = reference.revision;
  std::error_code ignored;
  if (const fs::path ref = directory / "refs" / reference.revision; fs::is_regular_file(ref, ignored)) {
    commit = read_file(ref, 4096);
    commit.erase(commit.find_last_not_of(" \r\n\t") + 1);
  }
  if (!is_commit(commit)) return {};
  const fs::path snapshot = directory / "snapshots" / commit;
  return fs::is_directory(snapshot, ignored) ? snapshot : fs::path();
}

bool is_safe_relative_path(std::string_view path) {
  if (path.empty() || path.size() > 1024) return false;
  for (const char c : path)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

bool is_commit(std::string_view text) {
  return text.size() == 40 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace hearth
