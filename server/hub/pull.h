// `hearth pull`: a repository of a model hub into huggingface_hub's cache. The snapshot appears when every file of it
// is whole, the revision's name last; a pull that is killed leaves blobs and .incomplete files, from which the next one
// goes on.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>

#include "models/hub_cache.h"
#include "server/hub/blob_download.h"
#include "server/hub/progress.h"
#include "server/hub/repository.h"

namespace hearth {

struct PullOptions {
  HubAccess access;
  std::string file;  // one file of the repository instead of what a model takes
  int parallel = 4;
  RetryPolicy retry;
};

struct PullResult {
  std::filesystem::path snapshot;
  std::string commit;
  size_t files = 0;
  uint64_t bytes = 0;
};

// Errors as fetch_repository, select_files and download_blob; kResourceExhausted when the disk has too little room,
// kCancelled.
PullResult pull(const HubReference& reference, const PullOptions& options, PullProgress& progress,
                const std::atomic<bool>& cancelled);

}  // namespace hearth
