// Reads safetensors files (github.com/huggingface/safetensors, "Format") and checkpoints of several such files with a
// model.safetensors.index.json. Untrusted: the header's size, nesting and fields are checked, and the tensors must
// cover the data without holes and without overlap, so that what the accessors return can be read without further
// checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/base/file.h"

namespace hearth {

class SafetensorsFile {
 public:
  struct Tensor {
    std::string name;
    std::string dtype;  // as the file spells it: "F32", "BF16", "I64"
    std::vector<int64_t> shape;
    std::span<const std::byte> bytes;
  };

  // Maps the file. Throws kNotFound, or kDataCorruption with the file, the place and what was found.
  static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& path);
  // Reads an image in memory, which must outlive the object; `name` stands for the file in messages.
  static std::shared_ptr<const SafetensorsFile> parse(std::span<const std::byte> image, std::string name);

  const std::string& name() const { return name_; }
  const std::shared_ptr<const MappedFile>& file() const { return file_; }  // null for an image in memory
  const Tensor* tensor(std::string_view name) const;                       // null when absent
  std::span<const Tensor> tensors() const { return tensors_; }             // in the order of the data

 private:
  SafetensorsFile() = default;
  void read(std::span<const std::byte> image);

  std::string name_;
  std::shared_ptr<const MappedFile> file_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string_view, size_t> index_;
};

// The files of a checkpoint in a directory: model.safetensors, or those that model.safetensors.index.json names. A
// tensor in two files, one that the index promises and no file has, and file names that leave the directory are
// kDataCorruption.
std::vector<std::shared_ptr<const SafetensorsFile>> open_safetensors(const std::filesystem::path& directory);

}  // namespace hearth
