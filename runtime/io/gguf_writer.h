// Writes GGUF files, version 3, little-endian (github.com/ggml-org/ggml, docs/gguf.md). The file appears whole or not
// at all (AtomicFile), and values are taken piece by piece from where they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/kernels/format.h"

namespace hearth {

inline constexpr uint64_t kGgufAlignment = 32;  // where the metadata says nothing

struct GgufEntry {
  std::string key, bytes;  // as GgufFile::Entry has them

  static GgufEntry text(std::string key, std::string_view value);
  static GgufEntry number(std::string key, uint32_t value);
  static GgufEntry real(std::string key, float value);
  static GgufEntry boolean(std::string key, bool value);
  static GgufEntry texts(std::string key, std::span<const std::string> values);
  static GgufEntry numbers(std::string key, std::span<const int32_t> values);
  static GgufEntry reals(std::string key, std::span<const float> values);
};

struct GgufTensorToWrite {
  using Sink = std::function<void(std::span<const std::byte>)>;

  std::string name;
  Format format = Format::kF32;
  std::vector<int64_t> dims;  // as ggml counts them, the contiguous one first
  // Gives the stored values to the sink, in pieces that together are as long as format and dims say.
  std::function<void(const Sink&)> write;

  uint64_t bytes() const;
};

// Tensors in this order, each at a multiple of `alignment`, which is the metadata's general.alignment (32 without it).
// Throws kUnavailable with the system's reason.
void write_gguf(const std::filesystem::path& path, std::span<const GgufEntry> metadata, uint64_t alignment,
                std::span<const GgufTensorToWrite> tensors);
// The same as bytes, of what is small.
std::string gguf_image(std::span<const GgufEntry> metadata, std::span<const GgufTensorToWrite> tensors);

}  // namespace hearth
