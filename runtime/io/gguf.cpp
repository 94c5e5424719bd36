#include "runtime/io/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "runtime/base/error.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF values are read as they lie in the file");

constexpr uint64_t kDefaultAlignment = 32, kSmallestAlignment = 8, kLargestAlignment = 4096;
constexpr std::string_view kAlignmentKey = "general.alignment";
constexpr std::string_view kTypeNames[] = {"uint8",   "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
                                           "boolean", "string", "array",  "uint64", "int64",  "float64"};
constexpr uint64_t kTypeBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

// ggml's numbers of tensor types, in the order of Format.
constexpr uint32_t kTypeNumbers[kFormatCount] = {0, 1, 30, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14};

std::optional<Format> format_of(uint32_t type) {
  for (size_t i = 0; i < kFormatCount; ++i)
    if (kTypeNumbers[i] == type) return static_cast<Format>(i);
  return std::nullopt;
}

// Of those that hearth does not compute with (empty: never released).
std::string foreign_type(uint32_t type) {
  constexpr std::string_view kNames[] = {
      "F32",      "F16",      "Q4_0",    "Q4_1",  "Q4_2",       "Q4_3",       "Q5_0",       "Q5_1",
      "Q8_0",     "Q8_1",     "Q2_K",    "Q3_K",  "Q4_K",       "Q5_K",       "Q6_K",       "Q8_K",
      "IQ2_XXS",  "IQ2_XS",   "IQ3_XXS", "IQ1_S", "IQ4_NL",     "IQ3_S",      "IQ2_S",      "IQ4_XS",
      "I8",       "I16",      "I32",     "I64",   "F64",        "IQ1_M",      "BF16",       "Q4_0_4_4",
      "Q4_0_4_8", "Q4_0_8_8", "TQ1_0",   "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4"};
  return type < std::size(kNames) ? std::string(kNames[type]) : fmt::format("number {}", type);
}

}  // namespace

uint32_t gguf_type(Format format) { return kTypeNumbers[static_cast<size_t>(format)]; }

// One pass over the header, then the tensors' places.
class GgufParser {
 public:
  GgufParser(std::span<const std::byte> image, GgufFile& file) : image_(image), file_(file) {}

  void parse() {
    read_magic();
    const auto tensor_count = read<uint64_t>("the number of tensors");
    const auto value_count = read<uint64_t>("the number of metadata keys");
    for (uint64_t i = 0; i < value_count; ++i) read_key_value();
    constexpr uint64_t kSmallestTensorEntry = 8 + 4 + 4 + 8;
    file_.tensors_.reserve(std::min(tensor_count, left() / kSmallestTensorEntry));
    offsets_.reserve(file_.tensors_.capacity());
    for (uint64_t i = 0; i < tensor_count; ++i) read_tensor_entry();
    place_tensors();
    for (size_t i = 0; i < file_.tensors_.size(); ++i) {
      if (!file_.tensor_index_.emplace(file_.tensors_[i].name, i).second)
        throw data_corruption("{}: two tensors are named '{}'", file_.name_, printable(file_.tensors_[i].name));
    }
  }

 private:
  uint64_t left() const { return image_.size() - at_; }

  // `what` and `of` say in a message what was to be read.
  const std::byte* take(uint64_t bytes, std::string_view what, std::string_view of = {}) {
    if (bytes > left())
      throw data_corruption("{}: {}{}{} at byte {} takes {} bytes, the file has {} left; download it again",
                            file_.name_, what, of.empty() ? "" : " of ", printable(of), at_, bytes, left());
    const std::byte* begin = image_.data() + at_;
    at_ += bytes;
    return begin;
  }
  template <class T>
  T read(std::string_view what, std::string_view of = {}) {
    T value;
    std::memcpy(&value, take(sizeof(T), what, of), sizeof(T));
    return value;
  }
  std::string_view read_string(std::string_view what, std::string_view of = {}) {
    const auto length = read<uint64_t>(what, of);
    return {reinterpret_cast<const char*>(take(length, what, of)), static_cast<size_t>(length)};
  }

  void read_magic() {
    if (left() < 4 || std::memcmp(image_.data(), "GGUF", 4) != 0)
      throw data_corruption("{}: not a GGUF file: it does not begin with \"GGUF\"", file_.name_);
    at_ = 4;
    const auto version = read<uint32_t>("the version");
    if ((version & 0xffff) == 0 && version != 0)
      throw data_corruption("{}: a big-endian GGUF file; convert it for little-endian machines", file_.name_);
    if (version != 2 && version != 3)
      throw data_corruption("{}: GGUF version {}, hearth reads 2 and 3; convert the model again", file_.name_, version);
  }

  GgufFile::Type read_type(std::string_view key) {
    const auto type = read<uint32_t>("the type", key);
    if (type >= std::size(kTypeNames))
      throw data_corruption("{}: metadata '{}' has type {}, which GGUF does not define", file_.name_, printable(key),
                            type);
    return static_cast<GgufFile::Type>(type);
  }

  void read_key_value() {
    const std::string_view key = read_string("a metadata key");
    const uint64_t begin = at_;
    GgufFile::Value value;
    value.type = read_type(key);
    if (value.type == GgufFile::Type::kArray) {
      value.array = true;
      value.type = read_type(key);
      value.count = read<uint64_t>("the length", key);
      if (value.type == GgufFile::Type::kArray)
        throw data_corruption("{}: metadata '{}' is an array of arrays, which hearth does not read", file_.name_,
                              printable(key));
    }
    if (value.type == GgufFile::Type::kString) {
      constexpr uint64_t kLengthBytes = 8;
      if (value.count > left() / kLengthBytes)
        throw data_corruption("{}: metadata '{}' claims {} strings, the file has {} bytes left; download it again",
                              file_.name_, printable(key), value.count, left());
      value.strings.reserve(value.count);
      for (uint64_t i = 0; i < value.count; ++i) value.strings.push_back(read_string("a string", key));
    } else {
      const auto bytes = checked_multiply(value.count, kTypeBytes[static_cast<size_t>(value.type)]);
      value.data = take(bytes.value_or(std::numeric_limits<uint64_t>::max()), "the value", key);
    }
    if (!file_.values_.emplace(key, std::move(value)).second)
      throw data_corruption("{}: metadata '{}' occurs twice", file_.name_, printable(key));
    file_.entries_.push_back({key, image_.subspan(begin, at_ - begin)});
  }

  void read_tensor_entry() {
    GgufFile::Tensor tensor;
    tensor.name = read_string("a tensor's name");
    const auto rank = read<uint32_t>("the rank", tensor.name);
    if (rank > tensor.dims.size())
      throw data_corruption("{}: tensor '{}' has {} dimensions, at most 4 are possible", file_.name_,
                            printable(tensor.name), rank);
    tensor.rank = static_cast<int>(rank);
    for (uint32_t d = 0; d < rank; ++d) tensor.dims[d] = read<int64_t>("a dimension", tensor.name);
    const auto type = read<uint32_t>("the type", tensor.name);
    const std::optional<Format> format = format_of(type);
    if (!format)
      throw invalid_argument(
          "{}: tensor '{}' has type {}, which hearth does not compute with; quantise the model to Q4_K "
          "or Q8_0, say",
          file_.name_, printable(tensor.name), foreign_type(type));
    tensor.format = *format;
    offsets_.push_back(read<uint64_t>("the offset", tensor.name));
    file_.tensors_.push_back(tensor);
  }

  uint64_t alignment() const {
    const int64_t value = file_.integer(kAlignmentKey).value_or(kDefaultAlignment);
    if (value < static_cast<int64_t>(kSmallestAlignment) || value > static_cast<int64_t>(kLargestAlignment) ||
        !std::has_single_bit(static_cast<uint64_t>(value)))
      throw data_corruption("{}: {} is {}, must be a power of two from {} to {}", file_.name_, kAlignmentKey, value,
                            kSmallestAlignment, kLargestAlignment);
    return static_cast<uint64_t>(value);
  }

  uint64_t bytes_of(const GgufFile::Tensor& tensor) const {
    const FormatInfo& format = info(tensor.format);
    std::optional<uint64_t> values = 1;
    for (const int64_t dim : tensor.dims) {
      if (dim <= 0)
        throw data_corruption("{}: tensor '{}' has a dimension of {}", file_.name_, printable(tensor.name), dim);
      if (values) values = checked_multiply(*values, static_cast<uint64_t>(dim));
    }
    if (tensor.dims[0] % format.block_size != 0)
      throw data_corruption("{}: tensor '{}' has rows of {} values, {} needs a multiple of {}", file_.name_,
                            printable(tensor.name), tensor.dims[0], format.name, format.block_size);
    const auto bytes = values ? checked_multiply(*values / format.block_size, format.block_bytes) : std::nullopt;
    if (!bytes)
      throw data_corruption("{}: the size of tensor '{}' does not fit 64 bits", file_.name_, printable(tensor.name));
    return *bytes;
  }

  void place_tensors() {
    if (file_.tensors_.empty()) return;
    const uint64_t align = alignment();
    const uint64_t data = (at_ + align - 1) / align * align;
    const uint64_t available = data <= image_.size() ? image_.size() - data : 0;
    for (size_t i = 0; i < offsets_.size(); ++i) {
      GgufFile::Tensor& tensor = file_.tensors_[i];
      const uint64_t bytes = bytes_of(tensor);
      if (offsets_[i] % align != 0)
        throw data_corruption("{}: tensor '{}' begins at offset {}, which is not a multiple of the alignment {}",
                              file_.name_, printable(tensor.name), offsets_[i], align);
      if (bytes > available || offsets_[i] > available - bytes)
        throw data_corruption(
            "{}: tensor '{}' takes {} bytes at offset {}, the file has {} bytes of tensors; download it "
            "again",
            file_.name_, printable(tensor.name), bytes, offsets_[i], available);
      tensor.bytes = image_.subspan(data + offsets_[i], bytes);
    }
    refuse_overlap();
  }

  void refuse_overlap() const {
    std::vector<const GgufFile::Tensor*> sorted;
    sorted.reserve(file_.tensors_.size());
    for (const GgufFile::Tensor& tensor : file_.tensors_) sorted.push_back(&tensor);
    std::sort(sorted.begin(), sorted.end(),
              [](const auto* a, const auto* b) { return a->bytes.data() < b->bytes.data(); });
    for (size_t i = 1; i < sorted.size(); ++i) {
      const std::span<const std::byte> before = sorted[i - 1]->bytes;
      if (before.data() + before.size() > sorted[i]->bytes.data())
        throw data_corruption("{}: tensors '{}' and '{}' overlap", file_.name_, printable(sorted[i - 1]->name),
                              printable(sorted[i]->name));
    }
  }

  std::span<const std::byte> image_;
  GgufFile& file_;
  uint64_t at_ = 0;
  std::vector<uint64_t> offsets_;  // of file_.tensors_, from the end of the header
};

std::shared_ptr<const GgufFile> GgufFile::parse(std::span<const std::byte> image, std::string name) {
  std::shared_ptr<GgufFile> file(new GgufFile());
  file->name_ = std::move(name);
  GgufParser(image, *file).parse();
  return file;
}

std::shared_ptr<const GgufFile> GgufFile::open(const std::filesystem::path& path) {
  std::shared_ptr<GgufFile> file(new GgufFile());
  file->name_ = path.string();
  file->file_ = MappedFile::open(path);
  GgufParser(file->file_->bytes(), *file).parse();
  return file;
}

const GgufFile::Value* GgufFile::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void GgufFile::wrong_type(std::string_view key, const Value& value, std::string_view expected) const {
  throw data_corruption("{}: metadata '{}' is {}{}, expected {}", name_, printable(key),
                        value.array ? "an array of " : "", kTypeNames[static_cast<size_t>(value.type)], expected);
}

const GgufFile::Value* GgufFile::scalar(std::string_view key, std::string_view expected) const {
  const Value* value = find(key);
  if (value && value->array) wrong_type(key, *value, expected);
  return value;
}

const GgufFile::Value* GgufFile::elements(std::string_view key, std::string_view expected) const {
  const Value* value = find(key);
  if (value && !value->array) wrong_type(key, *value, expected);
  return value;
}

namespace {

template <class T>
T load(const std::byte* data, uint64_t index = 0) {
  T value;
  std::memcpy(&value, data + index * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

std::vector<std::string_view> GgufFile::keys() const {
  std::vector<std::string_view> result;
  result.reserve(values_.size());
  for (const auto& [key, value] : values_) result.push_back(key);
  return result;
}

bool GgufFile::is_array(std::string_view key) const {
  const Value* value = find(key);
  return value && value->array;
}

std::optional<std::string_view> GgufFile::string(std::string_view key) const {
  const Value* value = scalar(key, "a string");
  if (!value) return std::nullopt;
  if (value->type != Type::kString) wrong_type(key, *value, "a string");
  return value->strings[0];
}

std::optional<int64_t> GgufFile::integer_at(std::string_view key, const Value& value, uint64_t index) const {
  switch (value.type) {
    case Type::kU8:
      return load<uint8_t>(value.data, index);
    case Type::kI8:
      return load<int8_t>(value.data, index);
    case Type::kU16:
      return load<uint16_t>(value.data, index);
    case Type::kI16:
      return load<int16_t>(value.data, index);
    case Type::kU32:
      return load<uint32_t>(value.data, index);
    case Type::kI32:
      return load<int32_t>(value.data, index);
    case Type::kI64:
      return load<int64_t>(value.data, index);
    case Type::kU64: {
      const auto wide = load<uint64_t>(value.data, index);
      if (wide > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        throw data_corruption("{}: metadata '{}' is {}, which is out of range", name_, printable(key), wide);
      return static_cast<int64_t>(wide);
    }
    default:
      return std::nullopt;
  }
}

std::optional<double> GgufFile::number_at(std::string_view key, const Value& value, uint64_t index) const {
  if (value.type == Type::kF32) return load<float>(value.data, index);
  if (value.type == Type::kF64) return load<double>(value.data, index);
  return integer_at(key, value, index);
}

std::optional<int64_t> GgufFile::integer(std::string_view key) const {
  const Value* value = scalar(key, "an integer");
  if (!value) return std::nullopt;
  const std::optional<int64_t> result = integer_at(key, *value, 0);
  if (!result) wrong_type(key, *value, "an integer");
  return result;
}

std::optional<double> GgufFile::number(std::string_view key) const {
  const Value* value = scalar(key, "a number");
  if (!value) return std::nullopt;
  const std::optional<double> result = number_at(key, *value, 0);
  if (!result) wrong_type(key, *value, "a number");
  return result;
}

std::optional<bool> GgufFile::boolean(std::string_view key) const {
  const Value* value = scalar(key, "a boolean");
  if (!value) return std::nullopt;
  if (value->type != Type::kBool) wrong_type(key, *value, "a boolean");
  return load<uint8_t>(value->data) != 0;
}

std::span<const std::string_view> GgufFile::strings(std::string_view key) const {
  const Value* value = elements(key, "an array of strings");
  if (!value) return {};
  if (value->type != Type::kString) wrong_type(key, *value, "an array of strings");
  return value->strings;
}

std::vector<int64_t> GgufFile::integers(std::string_view key) const {
  const Value* value = elements(key, "an array of integers");
  std::vector<int64_t> result;
  if (!value) return result;
  result.reserve(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    const std::optional<int64_t> element = value->type == Type::kBool
                                               ? std::optional<int64_t>(load<uint8_t>(value->data, i) != 0)
                                               : integer_at(key, *value, i);
    if (!element) wrong_type(key, *value, "an array of integers");
    result.push_back(*element);
  }
  return result;
}

std::vector<float> GgufFile::numbers(std::string_view key) const {
  const Value* value = elements(key, "an array of numbers");
  std::vector<float> result;
  if (!value) return result;
  result.reserve(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    const std::optional<double> element = number_at(key, *value, i);
    if (!element) wrong_type(key, *value, "an array of numbers");
    result.push_back(static_cast<float>(*element));
  }
  return result;
}

const GgufFile::Tensor* GgufFile::tensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace hearth
