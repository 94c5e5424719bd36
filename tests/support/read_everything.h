// Reads all that a parsed file offers, so that a sanitizer sees a span that points outside it.
#pragma once

#include <cstdint>

#include "runtime/base/error.h"
#include "runtime/io/checkpoint_file.h"
#include "runtime/io/gguf.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/torch_bin.h"

namespace hearth::test {

inline uint64_t sum(std::span<const std::byte> bytes) {
  uint64_t total = 0;
  for (const std::byte value : bytes) total += static_cast<uint64_t>(value);
  return total;
}

// Every accessor on `key`; one of another type throws Error, which is an answer too.
inline void read_key(const GgufFile& gguf, std::string_view key) {
  const auto attempt = [](auto&& read) {
    try {
      read();
    } catch (const Error&) {
    }
  };
  attempt([&] { gguf.string(key); });
  attempt([&] { gguf.integer(key); });
  attempt([&] { gguf.number(key); });
  attempt([&] { gguf.boolean(key); });
  attempt([&] { gguf.integers(key); });
  attempt([&] { gguf.numbers(key); });
  attempt([&] {
    for (const std::string_view text : gguf.strings(key)) sum(std::as_bytes(std::span(text)));
  });
}

inline uint64_t read_everything(const GgufFile& gguf) {
  uint64_t total = 0;
  for (const std::string_view key : gguf.keys()) read_key(gguf, key);
  for (const GgufFile::Tensor& tensor : gguf.tensors()) {
    total += sum(tensor.bytes) + sum(std::as_bytes(std::span(tensor.name)));
    if (gguf.tensor(tensor.name) != &tensor) throw internal_error("tensor '{}' is not found by its name", tensor.name);
  }
  return total;
}

inline uint64_t read_everything(const CheckpointFile& file) {
  uint64_t total = 0;
  for (const CheckpointFile::Tensor& tensor : file.tensors()) {
    total += sum(tensor.bytes);
    if (file.tensor(tensor.name) != &tensor) throw internal_error("tensor '{}' is not found by its name", tensor.name);
  }
  return total;
}

}  // namespace hearth::test
