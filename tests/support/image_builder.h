// Writes GGUF and safetensors images byte by byte and remembers where each field begins, so that tests can spoil one.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::test {

class GgufBuilder {
 public:
  enum class Field { kCount, kType, kDimension, kOffset, kOther };
  struct Place {
    size_t at;
    Field field;
    size_t bytes;
  };

  GgufBuilder(uint64_t tensors, uint64_t values, uint32_t version = 3) {
    bytes_ = "GGUF";
    put(version);
    put(tensors, Field::kCount);
    put(values, Field::kCount);
  }
  template <class T>
  GgufBuilder& put(T value, Field field = Field::kOther) {
    places_.push_back({bytes_.size(), field, sizeof(T)});
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T));
    return *this;
  }
  GgufBuilder& text(std::string_view value) {
    put<uint64_t>(value.size(), Field::kCount);
    bytes_ += value;
    return *this;
  }
  GgufBuilder& key(std::string_view name, uint32_t type) { return text(name).put(type, Field::kType); }
  GgufBuilder& array(std::string_view name, uint32_t type, uint64_t count) {
    return key(name, 9).put(type, Field::kType).put(count, Field::kCount);
  }
  GgufBuilder& tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
    text(name).put(static_cast<uint32_t>(dims.size()), Field::kType);
    for (const uint64_t dim : dims) put(dim, Field::kDimension);
    return put(type, Field::kType).put(offset, Field::kOffset);
  }
  // Padding to the alignment, then `bytes` of data.
  GgufBuilder& data(size_t bytes, size_t alignment = 32) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment, '\0');
    for (size_t i = 0; i < bytes; ++i) bytes_ += static_cast<char>(i);
    return *this;
  }

  const std::string& bytes() const { return bytes_; }
  const std::vector<Place>& places() const { return places_; }

 private:
  std::string bytes_;
  std::vector<Place> places_;
};

inline std::span<const std::byte> as_image(const std::string& bytes) { return std::as_bytes(std::span(bytes)); }

inline std::string safetensors_image(std::string_view header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string image(reinterpret_cast<const char*>(&length), sizeof(length));
  image += header;
  for (size_t i = 0; i < data_bytes; ++i) image += static_cast<char>(i);
  return image;
}

// One of every type, arrays, and three tensors of 32 + 68 + 12 bytes.
inline GgufBuilder sample_gguf() {
  GgufBuilder b(3, 15);
  b.key("general.architecture", 8).text("llama");
  b.key("u8", 0)
      .put<uint8_t>(200)
      .key("i8", 1)
      .put<int8_t>(-5)
      .key("u16", 2)
      .put<uint16_t>(60000)
      .key("i16", 3)
      .put<int16_t>(-300);
  b.key("u32", 4)
      .put<uint32_t>(4000000000u)
      .key("i32", 5)
      .put<int32_t>(-7)
      .key("f32", 6)
      .put<float>(0.5f)
      .key("bool", 7)
      .put<uint8_t>(1);
  b.key("u64", 10).put<uint64_t>(uint64_t{1} << 40).key("i64", 11).put<int64_t>(-9).key("f64", 12).put<double>(0.25);
  b.array("texts", 8, 3).text("a").text("").text("ccc");
  b.array("ints", 5, 2).put<int32_t>(3).put<int32_t>(-4);
  b.array("floats", 6, 2).put<float>(1.5f).put<float>(-2.0f);
  b.tensor("token_embd.weight", {4, 2}, 0, 0)
      .tensor("blk.0.ffn_up.weight", {32, 2}, 8, 32)
      .tensor("blk.0.attn_norm.weight", {3}, 0, 128);
  b.data(140);
  return b;
}

}  // namespace hearth::test
