#include "runtime/io/gguf_writer.h"

#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/gguf.h"

namespace hearth {
namespace {

constexpr uint32_t kVersion = 3, kU32Type = 4, kStringType = 8;

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

}  // namespace

GgufEntry GgufEntry::text(std::string key, std::string_view value) {
  GgufEntry entry{std::move(key), {}};
  append(entry.bytes, kStringType);
  append_text(entry.bytes, value);
  return entry;
}

GgufEntry GgufEntry::number(std::string key, uint32_t value) {
  GgufEntry entry{std::move(key), {}};
  append(entry.bytes, kU32Type);
  append(entry.bytes, value);
  return entry;
}

uint64_t GgufTensorToWrite::bytes() const {
  uint64_t rows = 1;
  for (size_t d = 1; d < dims.size(); ++d) rows *= static_cast<uint64_t>(dims[d]);
  return rows * row_bytes(format, dims.empty() ? 1 : dims[0]);
}

void write_gguf(const std::filesystem::path& path, std::span<const GgufEntry> metadata, uint64_t alignment,
                std::span<const GgufTensorToWrite> tensors) {
  const std::string header = header_of(metadata, alignment, tensors);
  const std::string zeros(alignment, '\0');
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(header)));
  for (const GgufTensorToWrite& tensor : tensors) {
    uint64_t written = 0;
    tensor.write([&](std::span<const std::byte> bytes) {
      written += bytes.size();
      file.write(bytes);
    });
    HEARTH_CHECK(written == tensor.bytes());
    file.write(std::as_bytes(std::span(zeros)).first(padding(written, alignment)));
  }
  file.commit();
}

}  // namespace hearth
