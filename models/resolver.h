// From what a user types to files on disk; never touches the network. In this order: a path (a directory or a .gguf
// file), a name in hearth's own model cache, a short name or org/name[@revision] in the hub cache. What is found is
// checked for completeness, so that an interrupted download is told as such.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

inline constexpr std::string_view kDefaultModel = "smollm2-135m-instruct";

// Throws kNotFound with the remedy (`hearth pull ...`), or kDataCorruption for a model that lacks files.
std::filesystem::path resolve_model(std::string_view reference);
// As a process in `directory` does it: a relative path that is there wins.
std::filesystem::path resolve_model(std::string_view reference, const std::filesystem::path& directory);

// kDefaultModel in the cache; the error says how to get it or to name another.
std::filesystem::path resolve_default_model();

// The id under which a model is served: the last part of a path without .gguf; org/name for a hub reference; a short
// name as it is.
std::string model_id(std::string_view reference);

// What a model directory lacks ("has no tokenizer.json or tokenizer.model"), or nothing.
std::optional<std::string> missing_from_model(const std::filesystem::path& directory);

struct CachedModel {
  std::string name;            // what resolve_model takes
  std::filesystem::path path;  // of the model: file, directory or snapshot
  std::filesystem::path root;  // all that belongs to it: what removing it deletes
  uint64_t bytes = 0;
  std::string problem;  // empty: complete
};

// Both caches, sorted by name.
std::vector<CachedModel> list_cached_models();

}  // namespace hearth
