#include "server/hub/repository.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "models/small_files.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "server/hub/retry.h"

namespace hearth {
namespace {

using nlohmann::json;

bool is_hex(std::string_view text, size_t size) {
  return text.size() == size &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string percent_encoded(std::string_view text, bool keep_slashes) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos || (c == '/' && keep_slashes);
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string string_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Sizes above 64 TiB count as not stated, so that sums of them cannot overflow.
std::optional<uint64_t> size_at(const json& object) {
  const auto found = object.find("size");
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto size = found->get<uint64_t>();
  return size <= uint64_t{1} << 46 ? std::optional(size) : std::nullopt;
}

HubFile parse_file(const std::string& repo, const json& sibling) {
  HubFile file;
  file.path = sibling.is_object() ? string_at(sibling, "rfilename") : std::string();
  if (!is_safe_relative_path(file.path))
    throw data_corruption("{}: the hub lists a file that would lie outside its folder ('{}'); nothing was downloaded",
                          repo, percent_encoded(file.path, /*keep_slashes=*/true));
  file.size = size_at(sibling);
  file.git_id = string_at(sibling, "blobId");
  if (const auto lfs = sibling.find("lfs"); lfs != sibling.end() && lfs->is_object()) {
    file.sha256 = string_at(*lfs, "sha256");
    if (const auto size = size_at(*lfs)) file.size = size;
  }
  if ((!file.sha256.empty() && !is_hex(file.sha256, 64)) || (!file.git_id.empty() && !is_hex(file.git_id, 40)))
    throw data_corruption("{}: the hub states a malformed hash for '{}'", repo, file.path);
  return file;
}

std::string list_names(const std::vector<HubFile>& files) {
  constexpr size_t kShown = 20;
  std::string names;
  for (size_t i = 0; i < std::min(files.size(), kShown); ++i) names += (i ? ", " : "") + files[i].path;
  return files.size() > kShown ? fmt::format("{} and {} more", names, files.size() - kShown) : names;
}

HubFile select_gguf(const HubRepository& repository, std::string_view selector) {
  std::vector<HubFile> all, fitting;
  for (const HubFile& file : repository.files)
    if (lower(file.path).ends_with(".gguf")) all.push_back(file);
  const std::string wanted = lower(selector.empty() && all.size() > 1 ? "Q4_K_M" : selector);
  for (const HubFile& file : all)
    if (lower(file.path).find(wanted) != std::string::npos) fitting.push_back(file);
  if (fitting.size() == 1) {
    if (fitting[0].path.find("-00001-of-") != std::string::npos)
      throw invalid_argument("{}: '{}' is a part of a split GGUF file, which hearth does not load", repository.repo,
                             fitting[0].path);
    return fitting[0];
  }
  if (all.empty()) throw not_found("{}: has no GGUF file", repository.repo);
  throw invalid_argument("{}: {} of its GGUF files have '{}' in the name; choose with {}:Q8_0 or --file (it has {})",
                         repository.repo, fitting.size(), wanted, repository.repo, list_names(all));
}

// The weights in one format: the sharded set when there is an index, else the single file.
std::vector<HubFile> select_weights(const HubRepository& repository, std::string_view stem, std::string_view ending) {
  const std::string single = fmt::format("{}{}", stem, ending);
  const std::string index = single + ".index.json";
  const std::string shard = fmt::format("{}-", stem);
  const auto has = [&](const std::string& name) {
    return std::any_of(repository.files.begin(), repository.files.end(),
                       [&](const HubFile& file) { return file.path == name; });
  };
  const bool sharded = has(index);
  std::vector<HubFile> files;
  for (const HubFile& file : repository.files) {
    const bool is_shard = file.path.starts_with(shard) && file.path.ends_with(ending) &&
                          file.path.find("-of-") != std::string::npos && file.path.find('/') == std::string::npos;
    if (sharded ? (file.path == index || is_shard) : file.path == single) files.push_back(file);
  }
  return files;
}

}  // namespace

HubAccess hub_access_from_environment() {
  const char* offline = std::getenv("HF_HUB_OFFLINE");
  if (offline && std::string_view(offline) == "1") throw failed_precondition("HF_HUB_OFFLINE is 1: unset it to pull");
  HubAccess access;
  const char* endpoint = std::getenv("HF_ENDPOINT");
  access.endpoint = endpoint && *endpoint ? endpoint : "https://huggingface.co";
  while (access.endpoint.ends_with('/')) access.endpoint.pop_back();
  if (const char* token = std::getenv("HF_TOKEN"); token && *token) {
    access.token = token;
  } else {
    const char* path = std::getenv("HF_TOKEN_PATH");
    const std::filesystem::path file = path && *path ? std::filesystem::path(path) : hub_home() / "token";
    std::error_code ignored;
    if (std::filesystem::is_regular_file(file, ignored)) access.token = read_file(file, 4096);
  }
  std::erase_if(access.token, [](char c) { return static_cast<unsigned char>(c) <= 0x20; });
  return access;
}

std::string hub_file_url(const HubAccess& access, const HubRepository& repository, std::string_view path) {
  return fmt::format("{}/{}/resolve/{}/{}", access.endpoint, repository.repo, repository.commit,
                     percent_encoded(path, /*keep_slashes=*/true));
}

void check_hub_status(const HttpResponse& response, const std::string& what, bool has_token) {
  if (response.status >= 200 && response.status < 400) return;
  const std::string code = response.header("x-error-code");
  const std::string token = has_token ? "HF_TOKEN gives no access to it" : "log in by setting HF_TOKEN";
  if (code == "GatedRepo" || response.status == 403)
    throw failed_precondition("{}: the hub refuses it (HTTP {}): accept its terms on the hub's page; {}", what,
                              response.status, token);
  // huggingface.co answers 401 for names that do not exist, so as not to tell which private ones do.
  if (response.status == 401)
    throw failed_precondition("{}: no such repository, or a private one (HTTP 401): check the name; {}", what, token);
  if (code == "RevisionNotFound") throw not_found("{}: the repository has no such revision (HTTP 404)", what);
  if (response.status == 404) throw not_found("{}: the hub does not have it (HTTP 404): check the name", what);
  const std::string message = fmt::format("{}: the hub answers HTTP {}", what, response.status);
  if (response.status < 500 && response.status != 408 && response.status != 429)
    throw Error(ErrorCode::kFailedPrecondition, message);
  throw RetryLater(message,
                   std::chrono::seconds(std::clamp(std::atoi(response.header("retry-after").c_str()), 0, 3600)));
}

HubRepository fetch_repository(HttpClient& client, const HubAccess& access, const HubReference& reference) {
  HttpRequest request;
  request.url = fmt::format("{}/api/models/{}/revision/{}?blobs=true", access.endpoint, reference.repo,
                            percent_encoded(reference.revision, /*keep_slashes=*/false));
  request.bearer_token = access.token;
  const HttpResponse response = client.send(request);
  const bool main = reference.revision == "main";
  check_hub_status(response, main ? reference.repo : reference.repo + "@" + reference.revision, !access.token.empty());
  return parse_repository(reference.repo, response.body);
}

HubRepository parse_repository(const std::string& repo, std::string_view text) {
  constexpr int kMaxDepth = 64;
  const auto shallow = [&](int depth, json::parse_event_t, json&) {
    if (depth > kMaxDepth) throw data_corruption("{}: the hub's answer is nested too deeply", repo);
    return true;
  };
  const json answer = json::parse(text, shallow, /*allow_exceptions=*/false);
  if (!answer.is_object() || !answer.contains("siblings") || !answer["siblings"].is_array())
    throw data_corruption("{}: what answers is not a model hub (no list of files); check HF_ENDPOINT", repo);
  HubRepository repository{repo, string_at(answer, "sha"), {}};
  if (!is_commit(repository.commit)) throw data_corruption("{}: the hub states no commit", repo);
  for (const json& sibling : answer["siblings"]) repository.files.push_back(parse_file(repo, sibling));
  return repository;
}

std::vector<HubFile> select_files(const HubRepository& repository, std::string_view selector, std::string_view file) {
  if (!file.empty()) {
    for (const HubFile& candidate : repository.files)
      if (candidate.path == file) return {candidate};
    throw not_found("{}: has no file '{}' (it has {})", repository.repo, file, list_names(repository.files));
  }
  if (!selector.empty()) return {select_gguf(repository, selector)};
  std::vector<HubFile> weights = select_weights(repository, "model", ".safetensors");
  if (weights.empty()) weights = select_weights(repository, "pytorch_model", ".bin");
  if (weights.empty()) {
    const bool gguf = std::any_of(repository.files.begin(), repository.files.end(),
                                  [](const HubFile& candidate) { return lower(candidate.path).ends_with(".gguf"); });
    if (gguf) return {select_gguf(repository, {})};
    throw not_found("{}: has neither model.safetensors nor pytorch_model.bin nor a GGUF file (it has {})",
                    repository.repo, list_names(repository.files));
  }
  std::vector<HubFile> files;
  for (const HubFile& candidate : repository.files)
    if (std::find(kSmallFiles.begin(), kSmallFiles.end(), candidate.path) != kSmallFiles.end())
      files.push_back(candidate);
  files.insert(files.end(), weights.begin(), weights.end());
  return files;
}

}  // namespace hearth
