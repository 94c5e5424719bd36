// Builds files of torch.save byte by byte, so that a test can say what is wrong in one: opcodes of a pickle (a text
// each, joined with +) in a stored zip archive.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/zip_image.h"

namespace hearth::test::torch_image {

using zip_image::Entry;
using zip_image::local_entry;
using zip_image::raw;
using zip_image::zip;
using zip_image::zip_directory;

inline std::string text(std::string_view value) {
  return "X" + raw(static_cast<uint32_t>(value.size())) + std::string(value);
}
inline std::string integer(int64_t value) { return "\x8a\x08" + raw(value); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<int64_t>& values) {
  std::string opcodes = "(";
  for (const int64_t value : values) opcodes += integer(value);
  return opcodes + "t";
}
inline std::string storage(const std::string& type, const std::string& key, int64_t num_values) {
  return "(" + text("storage") + global("torch", type) + text(key) + text("cpu") + integer(num_values) + "tQ";
}
inline std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage + integer(offset) + tuple(shape) +
         tuple(strides) + "tR";
}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string opcodes = "}(";
  for (const auto& [key, value] : items) opcodes += text(key) + value;
  return opcodes + "u";
}
inline std::string pickle(const std::string& value) { return "\x80\x02" + value + "."; }

// An archive with this pickle and one storage "0" of the bytes 0, 1, 2, ...
inline std::string file(const std::string& value, size_t storage_bytes) {
  std::string bytes;
  for (size_t i = 0; i < storage_bytes; ++i) bytes += static_cast<char>(i);
  return zip({{"m/data.pkl", pickle(value)}, {"m/data/0", bytes}});
}

// Two tensors of one storage: "a" of [2, 3] as it lies, "b" transposed.
inline std::string sample() {
  const std::string floats = storage("FloatStorage", "0", 6);
  return file(dict({{"a", tensor(floats, 0, {2, 3}, {3, 1})}, {"b", tensor(floats, 0, {3, 2}, {1, 3})}}), 24);
}

}  // namespace hearth::test::torch_image
