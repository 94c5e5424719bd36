// One file of a hub into the cache's blobs/: resumed from <blob>.incomplete, retried when the connection breaks,
// checked against its hash, then put in place by a rename. Whatever happens, <blob> is either absent or whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "runtime/http_client/http_client.h"
#include "server/hub/retry.h"

namespace hearth {

struct BlobRequest {
  std::string name;  // for messages: "org/name: model.safetensors"
  std::string url;
  std::string token;
  std::filesystem::path blob;
  uint64_t size = 0;
  std::string sha256, git_id;  // what the content must hash to; both empty: the size alone is checked
};

// `arrived` gets the number of new bytes, negative when bytes are thrown away. Throws kDataCorruption when the content
// is not what it should be (the .incomplete file is then removed), kUnavailable when the retries are used up,
// kCancelled, kNotFound and kFailedPrecondition by status.
void download_blob(HttpClient& client, const BlobRequest& request, const RetryPolicy& policy,
                   const std::function<void(int64_t)>& arrived, const std::atomic<bool>& cancelled);

// <blob>.incomplete, as huggingface_hub names it.
std::filesystem::path incomplete_path(const std::filesystem::path& blob);

}  // namespace hearth
