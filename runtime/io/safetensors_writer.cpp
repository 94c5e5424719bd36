#include "runtime/io/safetensors_writer.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/checkpoint_file.h"

namespace hearth {
namespace {

constexpr size_t kAlignment = 8;

uint64_t value_bytes(const TensorToWrite& tensor) {
  const std::optional<uint64_t> bytes = dtype_bytes(tensor.dtype);
  if (!bytes) throw invalid_argument("tensor '{}': dtype '{}' is none of safetensors", tensor.name, tensor.dtype);
  return *bytes;
}

uint64_t size_of(const TensorToWrite& tensor) {
  const std::optional<uint64_t> bytes = tensor_bytes(value_bytes(tensor), tensor.shape);
  HEARTH_CHECK(bytes.has_value());
  return *bytes;
}

std::string header_of(const std::vector<TensorToWrite>& tensors) {
  std::string text = R"({"__metadata__":{"format":"pt"})";
  std::set<std::string_view> names;
  uint64_t at = 0;
  for (const TensorToWrite& tensor : tensors) {
    if (!names.insert(tensor.name).second) throw invalid_argument("two tensors are named '{}'", tensor.name);
    const uint64_t end = at + size_of(tensor);
    text += fmt::format(R"(,{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                        nlohmann::json(tensor.name).dump(), tensor.dtype, fmt::join(tensor.shape, ","), at, end);
    at = end;
  }
  text += '}';
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  return text;
}

}  // namespace

TensorToWrite TensorToWrite::f32(std::string name, const Tensor& values) {
  std::vector<int64_t> shape;
  shape.reserve(values.shape().rank());
  for (int i = 0; i < values.shape().rank(); ++i) shape.push_back(values.dim(i));
  return {std::move(name), "F32", std::move(shape),
          [values](const Sink& sink) { sink(std::as_bytes(std::span(values.data(), values.size()))); }};
}

void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
    return std::tuple(value_bytes(b), std::string_view(a.name)) < std::tuple(value_bytes(a), std::string_view(b.name));
  });
  const std::string header = header_of(tensors);
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(header)));
  for (const TensorToWrite& tensor : tensors) {
    uint64_t written = 0;
    tensor.write([&](std::span<const std::byte> bytes) {
      written += bytes.size();
      file.write(bytes);
    });
    HEARTH_CHECK(written == size_of(tensor));
  }
  file.commit();
}

}  // namespace hearth
