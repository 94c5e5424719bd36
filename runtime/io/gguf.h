// Reads a GGUF model file, versions 2 and 3, little-endian: typed metadata and tensors that point into the file
// (github.com/ggml-org/ggml, docs/gguf.md). The file is untrusted: every count, length, offset and type is checked
// against the bytes that are there before it is used, so that what the accessors return can be read without further
// checks. Immutable, safe to share between threads; lookups are O(1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/kernels/format.h"

namespace hearth {

// ggml's number of a tensor's type.
uint32_t gguf_type(Format format);

class GgufFile {
 public:
  struct Tensor {
    std::string_view name;
    Format format = Format::kF32;
    int rank = 0;
    std::array<int64_t, 4> dims{1, 1, 1, 1};  // as ggml counts them, the contiguous one first: a matrix is {in, out}
    std::span<const std::byte> bytes;
  };

  // A key of the metadata as it lies in the file: its type, then its value.
  struct Entry {
    std::string_view key;
    std::span<const std::byte> bytes;
  };

  // Maps the file. Throws kNotFound, or kDataCorruption with the file, the place and what was found.
  static std::shared_ptr<const GgufFile> open(const std::filesystem::path& path);
  // Reads an image in memory, which must outlive the object; `name` stands for the file in messages.
  static std::shared_ptr<const GgufFile> parse(std::span<const std::byte> image, std::string name);

  const std::string& name() const { return name_; }                        // the file's path, for messages
  const std::shared_ptr<const MappedFile>& file() const { return file_; }  // null for an image in memory

  // Metadata. Absent keys give nothing; a key of another type throws kDataCorruption with its name and type.
  bool has(std::string_view key) const { return values_.contains(key); }
  std::optional<std::string_view> string(std::string_view key) const;
  std::optional<int64_t> integer(std::string_view key) const;  // any integer type
  std::optional<double> number(std::string_view key) const;    // any floating or integer type
  std::optional<bool> boolean(std::string_view key) const;
  std::span<const std::string_view> strings(std::string_view key) const;  // empty when absent
  std::vector<int64_t> integers(std::string_view key) const;              // empty when absent; bools count as 0 and 1
  std::vector<float> numbers(std::string_view key) const;                 // empty when absent
  std::vector<std::string_view> keys() const;                             // in no order
  bool is_array(std::string_view key) const;                              // false when absent
  std::span<const Entry> entries() const { return entries_; }             // in the file's order

  const Tensor* tensor(std::string_view name) const;  // null when absent
  std::span<const Tensor> tensors() const { return tensors_; }

 private:
  // Numbered as in the file.
  enum class Type : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };
  struct Value {
    Type type = Type::kU8;  // of the elements, for an array
    bool array = false;
    uint64_t count = 1;
    const std::byte* data = nullptr;        // not for strings
    std::vector<std::string_view> strings;  // one, for a string
  };
  friend class GgufParser;

  GgufFile() = default;
  const Value* find(std::string_view key) const;
  const Value* scalar(std::string_view key, std::string_view expected) const;
  const Value* elements(std::string_view key, std::string_view expected) const;
  std::optional<int64_t> integer_at(std::string_view key, const Value& value, uint64_t index) const;
  std::optional<double> number_at(std::string_view key, const Value& value, uint64_t index) const;
  [[noreturn]] void wrong_type(std::string_view key, const Value& value, std::string_view expected) const;

  std::string name_;
  std::shared_ptr<const MappedFile> file_;
  std::unordered_map<std::string_view, Value> values_;
  std::vector<Entry> entries_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string_view, size_t> tensor_index_;
};

}  // namespace hearth
