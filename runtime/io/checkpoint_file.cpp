#include "runtime/io/checkpoint_file.h"

#include <limits>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/io/json_file.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

constexpr size_t kLargestIndex = 100'000'000;

std::filesystem::path index_path(const std::filesystem::path& directory, std::string_view file_name) {
  return directory / (std::string(file_name) + ".index.json");
}

std::filesystem::path shard_path(const std::filesystem::path& directory, const std::string& index,
                                 const std::string& shard) {
  if (shard.empty() || shard == "." || shard == ".." || shard.find('/') != std::string::npos ||
      printable(shard) != shard)
    throw data_corruption("{}: names the file '{}'; it must be a plain name in the same directory", index,
                          printable(shard));
  return directory / shard;
}

}  // namespace

const CheckpointFile::Tensor* CheckpointFile::tensor(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

void CheckpointFile::set_tensors(std::vector<Tensor> tensors) {
  tensors_ = std::move(tensors);
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (!index_.emplace(tensors_[i].name, i).second)
      throw data_corruption("{}: two tensors are named '{}'", name_, printable(tensors_[i].name));
  }
}

std::optional<uint64_t> dtype_bytes(std::string_view dtype) {
  static constexpr std::pair<std::string_view, uint64_t> kSizes[] = {
      {"F32", 4},     {"F16", 2},     {"BF16", 2}, {"BOOL", 1}, {"U8", 1},     {"I8", 1},
      {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2},  {"U16", 2},  {"I32", 4},    {"U32", 4},
      {"I64", 8},     {"U64", 8},     {"F64", 8},  {"C64", 8},  {"F8_E8M0", 1}};
  for (const auto& [name, bytes] : kSizes)
    if (name == dtype) return bytes;
  return std::nullopt;
}

std::optional<uint64_t> tensor_bytes(uint64_t value_bytes, std::span<const int64_t> shape) {
  std::optional<uint64_t> bytes = value_bytes;
  for (const int64_t dim : shape) {
    bytes = checked_multiply(*bytes, static_cast<uint64_t>(dim));
    if (!bytes || *bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  }
  return bytes;
}

bool has_checkpoint(const std::filesystem::path& directory, std::string_view file_name) {
  return std::filesystem::exists(directory / file_name) || std::filesystem::exists(index_path(directory, file_name));
}

CheckpointFiles open_checkpoint(
    const std::filesystem::path& directory, std::string_view file_name,
    const std::function<std::shared_ptr<const CheckpointFile>(const std::filesystem::path&)>& open) {
  const std::filesystem::path single = directory / file_name;
  if (std::filesystem::exists(single)) return {open(single)};
  const std::filesystem::path path = index_path(directory, file_name);
  if (!std::filesystem::exists(path))
    throw not_found("{}: has neither {} nor {}.index.json", directory.string(), file_name, file_name);

  const std::string index_name = path.string();
  const nlohmann::json index = read_json_file(path, kLargestIndex);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (map == index.end() || !map->is_object()) throw data_corruption("{}: has no object 'weight_map'", index_name);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string())
      throw data_corruption("{}: weight_map['{}'] is not a file name", index_name, printable(tensor));
    shards.insert(shard.get<std::string>());
  }
  CheckpointFiles files;
  std::unordered_map<std::string_view, const CheckpointFile*> owners;
  for (const std::string& shard : shards) {
    files.push_back(open(shard_path(directory, index_name, shard)));
    for (const CheckpointFile::Tensor& tensor : files.back()->tensors()) {
      const auto [owner, is_new] = owners.emplace(tensor.name, files.back().get());
      if (!is_new)
        throw data_corruption("{}: tensor '{}' is in {} too", files.back()->name(), printable(tensor.name),
                              owner->second->name());
    }
  }
  for (const auto& [tensor, shard] : map->items()) {
    if (!owners.contains(tensor))
      throw data_corruption("{}: promises tensor '{}' in {}, which does not have it", index_name, printable(tensor),
                            printable(shard.get<std::string>()));
  }
  return files;
}

}  // namespace hearth
