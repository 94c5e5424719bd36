// Where models lie on disk. The hub cache is huggingface_hub's, so that both tools share it:
//   <cache>/models--org--name/{blobs/<etag>, refs/<revision> (a commit), snapshots/<commit>/<path> (links to blobs)}
// Names are untrusted: what could leave its folder is refused.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace hearth {

// org/name[@revision][:selector]; the selector chooses one of a repository's GGUF files ("Q4_K_M").
struct HubReference {
  std::string repo;  // "org/name"
  std::string revision = "main";
  std::string selector;  // empty: none

  std::string to_string() const;
};

// True for what has the form org/name[@revision][:selector].
bool is_hub_reference(std::string_view text);
// Throws kInvalidArgument when `text` is not one, or names something outside its folder.
HubReference parse_hub_reference(std::string_view text);

// HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub.
std::filesystem::path hub_cache_directory();
// HF_HOME, XDG_CACHE_HOME/huggingface or ~/.cache/huggingface.
std::filesystem::path hub_home();
// XDG_CACHE_HOME/hearth or ~/.cache/hearth; models are in models/.
std::filesystem::path hearth_cache_directory();
std::filesystem::path model_cache_directory();

// <cache>/models--org--name
std::filesystem::path hub_repo_directory(std::string_view repo);
// The snapshot of a revision (a branch or tag that refs/ knows, or a commit); empty when it is not in the cache.
std::filesystem::path hub_snapshot(const HubReference& reference);

// A relative path of plain components: no "..", no empty or absolute part, no control characters or backslashes.
bool is_safe_relative_path(std::string_view path);

// True for 40 lowercase hexadecimal digits.
bool is_commit(std::string_view text);

}  // namespace hearth
