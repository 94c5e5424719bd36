// Writes safetensors files, byte for byte as the reference implementation (github.com/huggingface/safetensors) lays
// them out: wider dtypes first, then by name, the header filled up with spaces to a multiple of 8. The file appears
// whole or not at all (AtomicFile), and the values are taken piece by piece from where they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "runtime/tensor.h"

namespace hearth {

struct TensorToWrite {
  using Sink = std::function<void(std::span<const std::byte>)>;

  std::string name;
  std::string dtype;  // as safetensors spells it: "F32", "BF16"
  std::vector<int64_t> shape;
  // Gives the values to the sink, row-major, in pieces of any size that together are as long as dtype and shape say.
  std::function<void(const Sink&)> write;

  static TensorToWrite f32(std::string name, const Tensor& values);  // holds on to the values
};

// With the metadata {"format": "pt"}, which transformers and peft ask for. Throws kInvalidArgument when two tensors
// have one name or a dtype is unknown, kUnavailable with the system's reason.
void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors);

}  // namespace hearth
