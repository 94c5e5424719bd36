#include "runtime/io/gguf_writer.h"

#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/gguf.h"

namespace hearth {
namespace {

constexpr uint32_t kVersion = 3;
constexpr uint32_t kU32Type = 4, kI32Type = 5, kF32Type = 6, kBoolType = 7, kStringType = 8, kArrayType = 9;

template <class T>
void append(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& to, std::string_view text) {
  append(to, static_cast<uint64_t>(text.size()));
  to += text;
}

uint64_t padding(uint64_t size, uint64_t alignment) { return (alignment - size % alignment) % alignment; }

std::string header_of(std::span<const GgufEntry> metadata, uint64_t alignment,
                      std::span<const GgufTensorToWrite> tensors) {
  std::string header = "GGUF";
  append(header, kVersion);
  append(header, static_cast<uint64_t>(tensors.size()));
  append(header, static_cast<uint64_t>(metadata.size()));
  for (const GgufEntry& entry : metadata) {
    append_text(header, entry.key);
    header += entry.bytes;
  }
  uint64_t at = 0;
  for (const GgufTensorToWrite& tensor : tensors) {
    append_text(header, tensor.name);
    append(header, static_cast<uint32_t>(tensor.dims.size()));
    for (const int64_t dim : tensor.dims) append(header, dim);
    append(header, gguf_type(tensor.format));
    append(header, at);
    at += tensor.bytes() + padding(tensor.bytes(), alignment);
  }
  header.append(padding(header.size(), alignment), '\0');
  return header;
}

// The whole file, to put(bytes).
template <class Put>
void put_file(std::span<const GgufEntry> metadata, uint64_t alignment, std::span<const GgufTensorToWrite> tensors,
              const Put& put) {
  const std::string header = header_of(metadata, alignment, tensors);
  const std::string zeros(alignment, '\0');
  put(std::as_bytes(std::span(header)));
  for (const GgufTensorToWrite& tensor : tensors) {
    uint64_t written = 0;
    tensor.write([&](std::span<const std::byte> bytes) {
      written += bytes.size();
      put(bytes);
    });
    HEARTH_CHECK(written == tensor.bytes());
    put(std::as_bytes(std::span(zeros)).first(padding(written, alignment)));
  }
}

template <class T>
GgufEntry scalar(std::string key, uint32_t type, T value) {
  GgufEntry entry{std::move(key), {}};
  append(entry.bytes, type);
  append(entry.bytes, value);
  return entry;
}

GgufEntry array(std::string key, uint32_t type, size_t count) {
  GgufEntry entry = scalar(std::move(key), kArrayType, type);
  append(entry.bytes, static_cast<uint64_t>(count));
  return entry;
}

template <class T>
GgufEntry array_of(std::string key, uint32_t type, std::span<const T> values) {
  GgufEntry entry = array(std::move(key), type, values.size());
  entry.bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return entry;
}

}  // namespace

GgufEntry GgufEntry::text(std::string key, std::string_view value) {
  GgufEntry entry{std::move(key), {}};
  append(entry.bytes, kStringType);
  append_text(entry.bytes, value);
  return entry;
}

GgufEntry GgufEntry::number(std::string key, uint32_t value) { return scalar(std::move(key), kU32Type, value); }

GgufEntry GgufEntry::real(std::string key, float value) { return scalar(std::move(key), kF32Type, value); }

GgufEntry GgufEntry::boolean(std::string key, bool value) {
  return scalar(std::move(key), kBoolType, static_cast<uint8_t>(value));
}

GgufEntry GgufEntry::texts(std::string key, std::span<const std::string> values) {
  GgufEntry entry = array(std::move(key), kStringType, values.size());
  for (const std::string& value : values) append_text(entry.bytes, value);
  return entry;
}

GgufEntry GgufEntry::numbers(std::string key, std::span<const int32_t> values) {
  return array_of(std::move(key), kI32Type, values);
}

GgufEntry GgufEntry::reals(std::string key, std::span<const float> values) {
  return array_of(std::move(key), kF32Type, values);
}

uint64_t GgufTensorToWrite::bytes() const {
  uint64_t rows = 1;
  for (size_t d = 1; d < dims.size(); ++d) rows *= static_cast<uint64_t>(dims[d]);
  return rows * row_bytes(format, dims.empty() ? 1 : dims[0]);
}

void write_gguf(const std::filesystem::path& path, std::span<const GgufEntry> metadata, uint64_t alignment,
                std::span<const GgufTensorToWrite> tensors) {
  AtomicFile file(path);
  put_file(metadata, alignment, tensors, [&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

std::string gguf_image(std::span<const GgufEntry> metadata, std::span<const GgufTensorToWrite> tensors) {
  std::string image;
  put_file(metadata, kGgufAlignment, tensors, [&](std::span<const std::byte> bytes) {
    image.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  return image;
}

}  // namespace hearth
