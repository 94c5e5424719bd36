// Reads pytorch_model.bin: the zip archive that torch.save writes since torch 1.6 (torch/serialization.py), one storage
// an entry and a pickle that describes the tensors in them. Nothing of the pickle is run: it may name an OrderedDict,
// what rebuilds a tensor or a parameter, and the kinds of storages. Untrusted: every tensor lies inside its storage, so
// that what the accessors return can be read without further checks.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/io/checkpoint_file.h"

namespace hearth {

// The tensors of the dict in the file, or of the dict 'state_dict' or 'model' in it, in their order; what is no tensor
// is left out. Tensors that share a storage share its bytes; those that do not lie there row by row (a transposed view)
// are copied, at most as many bytes as the file has.
class TorchBinFile : public CheckpointFile {
 public:
  // Maps the file. Throws kNotFound, kDataCorruption with the file, the place and what was found, or kInvalidArgument
  // for a file of the format before torch 1.6.
  static std::shared_ptr<const TorchBinFile> open(const std::filesystem::path& path);
  // Reads an image in memory, which must outlive the object; `name` stands for the file in messages.
  static std::shared_ptr<const TorchBinFile> parse(std::span<const std::byte> image, std::string name);

 private:
  using CheckpointFile::CheckpointFile;
  void read(std::span<const std::byte> image, const std::shared_ptr<const MappedFile>& file);

  std::vector<std::vector<std::byte>> copies_;
};

// pytorch_model.bin, or the shards of its index, as open_checkpoint says.
CheckpointFiles open_torch_bin(const std::filesystem::path& directory);

}  // namespace hearth
