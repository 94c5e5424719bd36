// What a hub says about a revision of a repository, and which of its files serving a model takes. Answers of a hub are
// untrusted: names that would leave the snapshot, commits and hashes of another form are refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/hub_cache.h"
#include "runtime/http_client/http_client.h"

namespace hearth {

struct HubFile {
  std::string path;  // within the repository
  std::optional<uint64_t> size;
  std::string sha256;  // of files in large-file storage; empty: not stated
  std::string git_id;  // SHA-1 of git's blob; of files in large-file storage that of their pointer
};

struct HubRepository {
  std::string repo, commit;
  std::vector<HubFile> files;
};

// Where and as whom: HF_ENDPOINT (https://huggingface.co), HF_TOKEN or the token file that `huggingface-cli login`
// writes. Throws kFailedPrecondition where HF_HUB_OFFLINE is 1.
struct HubAccess {
  std::string endpoint;
  std::string token;
};
HubAccess hub_access_from_environment();

std::string hub_file_url(const HubAccess& access, const HubRepository& repository, std::string_view path);

// Throws for statuses other than 200 with what the status means and the remedy: kNotFound, kFailedPrecondition (no
// permission), kUnavailable.
void check_hub_status(const HttpResponse& response, const std::string& what, bool has_token);

// GET /api/models/{repo}/revision/{revision}?blobs=true.
HubRepository fetch_repository(HttpClient& client, const HubAccess& access, const HubReference& reference);
HubRepository parse_repository(const std::string& repo, std::string_view json);

// Configuration, tokenizer and weights (safetensors before .bin); of a GGUF repository the one file that `selector` is
// part of (Q4_K_M, or the only one, when empty), or exactly `file` when that is not empty. Throws kNotFound or
// kInvalidArgument with what the repository has.
std::vector<HubFile> select_files(const HubRepository& repository, std::string_view selector, std::string_view file);

}  // namespace hearth
