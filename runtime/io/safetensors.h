// Reads safetensors files (github.com/huggingface/safetensors, "Format") and checkpoints of several such files with a
// model.safetensors.index.json. Untrusted: the header's size, nesting and fields are checked, and the tensors must
// cover the data without holes and without overlap, so that what the accessors return can be read without further
// checks.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "runtime/io/checkpoint_file.h"

namespace hearth {

class SafetensorsFile : public CheckpointFile {  // tensors() are in the order of the data
 public:
  // Maps the file. Throws kNotFound, or kDataCorruption with the file, the place and what was found.
  static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& path);
  // Reads an image in memory, which must outlive the object; `name` stands for the file in messages.
  static std::shared_ptr<const SafetensorsFile> parse(std::span<const std::byte> image, std::string name);

 private:
  using CheckpointFile::CheckpointFile;
  void read(std::span<const std::byte> image, const std::shared_ptr<const MappedFile>& file);
};

// model.safetensors, or the shards of its index, as open_checkpoint says.
CheckpointFiles open_safetensors(const std::filesystem::path& directory);

}  // namespace hearth
