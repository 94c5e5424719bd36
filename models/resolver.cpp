#include "models/resolver.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "models/hub_cache.h"
#include "models/short_names.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

bool is_gguf(const fs::path& path) { return path.extension() == ".gguf"; }

bool has(const fs::path& directory, std::string_view name) {
  std::error_code ignored;
  return fs::exists(directory / name, ignored);  // follows links: a link without its blob does not count
}

// The shard that an index names and the directory lacks, or nothing.
std::optional<std::string> missing_shard(const fs::path& directory, std::string_view index_name) {
  const auto index = nlohmann::json::parse(read_file(directory / index_name), nullptr, /*allow_exceptions=*/false);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    return fmt::format("'{}' is not an index of weights", index_name);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : index["weight_map"].items()) {
    if (!shard.is_string() || !is_safe_relative_path(shard.get<std::string>()))
      return fmt::format("'{}' places tensor '{}' in no file", index_name, tensor);
    shards.insert(shard.get<std::string>());
  }
  size_t missing = 0;
  std::string first;
  for (const std::string& shard : shards) {
    if (has(directory, shard)) continue;
    if (missing++ == 0) first = shard;
  }
  if (missing == 0) return std::nullopt;
  return fmt::format("lacks {} of {} weight files ('{}')", missing, shards.size(), first);
}

std::vector<fs::path> gguf_files(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored))
    if (is_gguf(entry.path()) && fs::is_regular_file(entry.path(), ignored)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// Repositories of GGUF files often have a config.json beside them; what they lack is other weights.
bool is_gguf_directory(const fs::path& directory) {
  const bool other_weights = has(directory, "model.safetensors") || has(directory, "model.safetensors.index.json") ||
                             has(directory, "pytorch_model.bin") || has(directory, "pytorch_model.bin.index.json");
  return !other_weights && !gguf_files(directory).empty();
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

// A directory serves as it is, or through the one GGUF file in it that `selector` (any when empty) is part of.
fs::path resolve_directory(const fs::path& directory, std::string_view selector, const std::string& shown,
                           const std::string& remedy) {
  std::vector<fs::path> files = gguf_files(directory);
  if (selector.empty() && !is_gguf_directory(directory)) {
    if (const auto missing = missing_from_model(directory))
      throw data_corruption("{}: {} {}; {}", shown, directory.string(), *missing, remedy);
    return directory;
  }
  std::erase_if(files, [&](const fs::path& file) {
    return lower(file.filename().string()).find(lower(std::string(selector))) == std::string::npos;
  });
  if (files.size() == 1) return files.front();
  if (files.empty())
    throw not_found("{}: no GGUF file of {} has '{}' in its name; {}", shown, directory.string(), selector, remedy);
  std::string names;
  for (const fs::path& file : files) names += (names.empty() ? "" : ", ") + file.filename().string();
  throw invalid_argument("{}: {} GGUF files fit ({}); name one of them by its path", shown, files.size(), names);
}

// hearth's own cache: a folder NAME, or NAME.gguf. Empty when there is neither.
fs::path find_in_model_cache(std::string_view name) {
  if (!is_safe_relative_path(name) || name.find('/') != std::string_view::npos) return {};
  const fs::path cache = model_cache_directory();
  for (const fs::path& candidate : {cache / name, cache / (std::string(name) + ".gguf")})
    if (std::error_code ignored; fs::exists(candidate, ignored)) return candidate;
  return {};
}

// `text` is what the user typed for it.
fs::path resolve_hub(std::string_view text, const HubReference& reference) {
  const std::string remedy = "fetch it with: hearth pull " + std::string(text);
  const fs::path snapshot = hub_snapshot(reference);
  if (snapshot.empty())
    throw not_found("{}: not a path and not in the cache ({}); {}", text, hub_cache_directory().string(), remedy);
  return resolve_directory(snapshot, reference.selector, std::string(text), remedy);
}

uint64_t bytes_below(const fs::path& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return fs::file_size(path, error);
  uint64_t bytes = 0;
  for (auto it = fs::recursive_directory_iterator(path, error); !error && it != fs::recursive_directory_iterator();
       it.increment(error)) {
    std::error_code gone;
    if (!it->is_symlink(gone) && it->is_regular_file(gone)) bytes += it->file_size(gone);
  }
  return bytes;
}

CachedModel cached(std::string name, fs::path path, fs::path root) {
  CachedModel model{std::move(name), std::move(path), std::move(root), 0, {}};
  model.bytes = bytes_below(model.root);
  if (!fs::is_directory(model.path)) return model;
  if (!is_gguf_directory(model.path)) model.problem = missing_from_model(model.path).value_or("");
  return model;
}

void list_hub_models(std::vector<CachedModel>& models) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(hub_cache_directory(), ignored)) {
    std::string repo = entry.path().filename().string();
    if (!repo.starts_with("models--")) continue;
    repo.erase(0, std::string_view("models--").size());
    const size_t separator = repo.find("--");
    if (separator == std::string::npos) continue;
    repo.replace(separator, 2, "/");
    if (!is_hub_reference(repo)) continue;
    for (const fs::directory_entry& ref : fs::recursive_directory_iterator(entry.path() / "refs", ignored)) {
      if (!ref.is_regular_file(ignored)) continue;
      const HubReference reference{repo, fs::relative(ref.path(), entry.path() / "refs").string(), {}};
      const fs::path snapshot = hub_snapshot(reference);
      if (!snapshot.empty()) models.push_back(cached(reference.to_string(), snapshot, entry.path()));
    }
  }
}

}  // namespace

fs::path resolve_model(std::string_view reference) {
  if (reference.empty()) throw invalid_argument("the model's name is empty: give a path, a name or org/name");
  const fs::path path(reference);
  const std::string shown(reference);
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return resolve_directory(path, {}, shown, "download it again");
  if (fs::exists(path, ignored)) {
    if (!is_gguf(path)) throw invalid_argument("{}: neither a directory nor a .gguf file", reference);
    return path;
  }
  if (fs::path found = find_in_model_cache(reference); !found.empty())
    return fs::is_directory(found) ? resolve_directory(found, {}, shown, "remove it and fetch it again") : found;
  if (const ShortName* known = find_short_name(reference))
    return resolve_hub(reference, parse_hub_reference(known->reference));
  if (is_hub_reference(reference) && !is_gguf(path)) return resolve_hub(reference, parse_hub_reference(reference));
  std::vector<std::string> names;
  for (CachedModel& model : list_cached_models()) names.push_back(std::move(model.name));
  throw not_found(
      "{}: no such file or directory, and no model of that name in {}{}; `hearth models` lists what is there",
      reference, model_cache_directory().string(), did_you_mean(reference, names));
}

fs::path resolve_model(std::string_view reference, const fs::path& directory) {
  const fs::path beside = (directory / reference).lexically_normal();
  std::error_code ignored;
  return !reference.empty() && fs::exists(beside, ignored) ? resolve_model(beside.string()) : resolve_model(reference);
}

fs::path resolve_default_model() {
  fs::path found = find_in_model_cache(kDefaultModel);
  if (found.empty())
    throw not_found(
        "no model was named and the default one ({}) is not in {}: `./dev run` in hearth's source tree fetches it, or "
        "name a model with --model PATH_OR_NAME",
        kDefaultModel, model_cache_directory().string());
  return resolve_model(found.string());
}

std::string model_id(std::string_view reference) {
  std::error_code ignored;
  fs::path path(reference);
  if (find_short_name(reference)) return std::string(reference);
  if (!fs::exists(path, ignored) && is_hub_reference(reference) && !is_gguf(path))
    return std::string(reference.substr(0, reference.find_first_of("@:")));
  path = fs::absolute(path).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  return (is_gguf(path) ? path.stem() : path.filename()).string();
}

std::optional<std::string> missing_from_model(const fs::path& directory) {
  if (!has(directory, "config.json")) return "has no config.json";
  if (!has(directory, "tokenizer.json") && !has(directory, "tokenizer.model"))
    return "has no tokenizer.json or tokenizer.model";
  for (const std::string_view stem : {"model.safetensors", "pytorch_model.bin"}) {
    const std::string index = std::string(stem) + ".index.json";
    if (has(directory, index)) return missing_shard(directory, index);
    if (has(directory, stem)) return std::nullopt;
  }
  return "has no weights (model.safetensors or pytorch_model.bin)";
}

std::vector<CachedModel> list_cached_models() {
  std::vector<CachedModel> models;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(model_cache_directory(), ignored)) {
    const bool directory = entry.is_directory(ignored);
    if (entry.path().filename().string().starts_with(".") || (!directory && !is_gguf(entry.path()))) continue;
    const fs::path name = directory ? entry.path().filename() : entry.path().stem();
    models.push_back(cached(name.string(), entry.path(), entry.path()));
  }
  list_hub_models(models);
  std::sort(models.begin(), models.end(), [](const CachedModel& a, const CachedModel& b) { return a.name < b.name; });
  return models;
}

}  // namespace hearth
