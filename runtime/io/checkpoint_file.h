// What the readers of Hugging Face checkpoints share: a file of named tensors whose bytes can be read without further
// checks, and a directory that holds one such file or the shards of an index (<file>.index.json with its weight_map).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/base/file.h"

namespace hearth {

class CheckpointFile {
 public:
  struct Tensor {
    std::string name;
    std::string dtype;  // as safetensors spells it: "F32", "BF16", "I64"
    std::vector<int64_t> shape;
    std::span<const std::byte> bytes;        // row-major, live as long as the CheckpointFile
    std::shared_ptr<const MappedFile> file;  // that `bytes` lie in; null: they lie in memory
  };
  static constexpr size_t kLargestRank = 16;

  CheckpointFile(const CheckpointFile&) = delete;
  CheckpointFile& operator=(const CheckpointFile&) = delete;

  const std::string& name() const { return name_; }   // for messages
  const Tensor* tensor(std::string_view name) const;  // null when absent
  std::span<const Tensor> tensors() const { return tensors_; }

 protected:
  explicit CheckpointFile(std::string name) : name_(std::move(name)) {}
  ~CheckpointFile() = default;
  // Once. Throws kDataCorruption when two have one name.
  void set_tensors(std::vector<Tensor> tensors);

 private:
  std::string name_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string_view, size_t> index_;
};

// Bytes of a value; nothing for dtypes that are unknown, whose sizes could not be checked.
std::optional<uint64_t> dtype_bytes(std::string_view dtype);
// Bytes of a tensor whose dimensions are not negative; nothing when they, or a part of the product, are more than an
// int64_t can count.
std::optional<uint64_t> tensor_bytes(uint64_t value_bytes, std::span<const int64_t> shape);

using CheckpointFiles = std::vector<std::shared_ptr<const CheckpointFile>>;

// Whether the directory has `file_name` or its index.
bool has_checkpoint(const std::filesystem::path& directory, std::string_view file_name);

// The directory's `file_name`, or the files that its index names. A tensor in two files, one that the index promises
// and no file has, and file names that leave the directory are kDataCorruption; neither file is kNotFound.
CheckpointFiles open_checkpoint(
    const std::filesystem::path& directory, std::string_view file_name,
    const std::function<std::shared_ptr<const CheckpointFile>(const std::filesystem::path&)>& open);

}  // namespace hearth
