#include "runtime/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kLargestHeader = 100'000'000;  // the reference implementation's limit

struct Entry {
  SafetensorsFile::Tensor tensor;
  std::vector<uint64_t> offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

// The header's grammar is small: { name: {"dtype": s, "shape": [n...], "data_offsets": [n, n]}, "__metadata__": {s: s}
// }. Events of the JSON reader fill entries directly; anything else stops it, so nesting and memory are bounded by
// construction.
class HeaderReader : public nlohmann::json::json_sax_t {
 public:
  HeaderReader(const std::string& file, std::vector<Entry>& entries) : file_(file), entries_(entries) {}

  bool key(string_t& text) override {
    if (depth_ == 1) {
      in_metadata_ = text == "__metadata__";
      if (!in_metadata_) {
        if (!names_.insert(text).second)
          throw data_corruption("{}: two tensors are named '{}'", file_, printable(text));
        entries_.emplace_back();
        entries_.back().tensor.name = text;
      }
    } else if (!in_metadata_) {
      field_ = text == "dtype"          ? Field::kDtype
               : text == "shape"        ? Field::kShape
               : text == "data_offsets" ? Field::kOffsets
                                        : Field::kOther;
      if (field_ == Field::kOther) refuse("a field '" + printable(text) + "'");
      bool& seen = field_ == Field::kDtype   ? entry().has_dtype
                   : field_ == Field::kShape ? entry().has_shape
                                             : entry().has_offsets;
      if (std::exchange(seen, true)) refuse("the field '" + printable(text) + "' twice");
    }
    return true;
  }
  bool start_object(size_t) override {
    if (depth_ == 2 || in_array_) refuse("an object in a field");
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(size_t) override {
    if (depth_ != 2 || in_metadata_ || field_ == Field::kDtype || in_array_) refuse("an array where none belongs");
    in_array_ = true;
    return true;
  }
  bool end_array() override {
    in_array_ = false;
    return true;
  }
  bool string(string_t& text) override {
    if (depth_ == 2 && in_metadata_) return true;
    if (depth_ != 2 || field_ != Field::kDtype || in_array_) refuse("a text where none belongs");
    entry().tensor.dtype = text;
    return true;
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (!in_array_) refuse("a number where none belongs");
    if (field_ == Field::kOffsets) {
      if (entry().offsets.size() == 2) refuse("more than two data_offsets");
      entry().offsets.push_back(value);
      return true;
    }
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) refuse("a dimension out of range");
    if (entry().tensor.shape.size() == CheckpointFile::kLargestRank)
      refuse(fmt::format("more than {} dimensions", CheckpointFile::kLargestRank));
    entry().tensor.shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  bool number_integer(number_integer_t) override { refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { refuse("a fractional number"); }
  bool boolean(bool) override { refuse("a boolean"); }
  bool null() override { refuse("null"); }
  bool binary(binary_t&) override { refuse("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    throw data_corruption("{}: the header is not valid JSON at byte {}; download the file again", file_,
                          kLengthBytes + position);
  }

 private:
  enum class Field { kNone, kDtype, kShape, kOffsets, kOther };

  Entry& entry() { return entries_.back(); }
  [[noreturn]] void refuse(const std::string& what) const {
    throw data_corruption("{}: the header has {}{}{}", file_, what, entries_.empty() ? "" : " near tensor ",
                          entries_.empty() ? "" : "'" + printable(entries_.back().tensor.name) + "'");
  }

  const std::string& file_;
  std::vector<Entry>& entries_;
  std::set<std::string> names_;
  int depth_ = 0;
  bool in_metadata_ = false, in_array_ = false;
  Field field_ = Field::kNone;
};

// That dtype and shape fit the bytes and the bytes the data.
void check_entry(const std::string& file, const Entry& entry, uint64_t data_bytes) {
  const std::string name = printable(entry.tensor.name);
  if (!entry.has_dtype || !entry.has_shape || entry.offsets.size() != 2)
    throw data_corruption("{}: tensor '{}' lacks dtype, shape or data_offsets", file, name);
  const std::optional<uint64_t> value_bytes = dtype_bytes(entry.tensor.dtype);
  if (!value_bytes)
    throw data_corruption("{}: tensor '{}' has the unknown dtype '{}'", file, name, printable(entry.tensor.dtype));
  const std::optional<uint64_t> bytes = tensor_bytes(*value_bytes, entry.tensor.shape);
  const uint64_t begin = entry.offsets[0], end = entry.offsets[1];
  if (begin > end || end > data_bytes)
    throw data_corruption("{}: tensor '{}' lies at bytes {} to {} of the data, which has {}; download the file again",
                          file, name, begin, end, data_bytes);
  if (!bytes || *bytes != end - begin)
    throw data_corruption("{}: tensor '{}' has {} bytes, its dtype and shape take {}", file, name, end - begin,
                          bytes ? std::to_string(*bytes) : "more than 63 bits can count");
}

}  // namespace

void SafetensorsFile::read(std::span<const std::byte> image, const std::shared_ptr<const MappedFile>& file) {
  if (image.size() < kLengthBytes)
    throw data_corruption("{}: not a safetensors file: {} bytes, a header's length takes 8", name(), image.size());
  uint64_t header_bytes;
  std::memcpy(&header_bytes, image.data(), kLengthBytes);
  if (header_bytes > kLargestHeader)
    throw data_corruption("{}: not a safetensors file: the header claims {} bytes, at most {} are allowed", name(),
                          header_bytes, kLargestHeader);
  if (header_bytes > image.size() - kLengthBytes)
    throw data_corruption("{}: the header claims {} bytes, the file has {}; download it again", name(), header_bytes,
                          image.size());
  const char* header = reinterpret_cast<const char*>(image.data() + kLengthBytes);
  if (header_bytes == 0 || header[0] != '{')
    throw data_corruption("{}: not a safetensors file: the header does not begin with '{{'", name());

  std::vector<Entry> entries;
  HeaderReader reader(name(), entries);
  nlohmann::json::sax_parse(header, header + header_bytes, &reader);

  const std::span<const std::byte> data = image.subspan(kLengthBytes + header_bytes);
  for (const Entry& entry : entries) check_entry(name(), entry, data.size());
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  uint64_t end = 0;
  std::vector<Tensor> tensors;
  tensors.reserve(entries.size());
  for (Entry& entry : entries) {
    if (entry.offsets[0] != end)
      throw data_corruption("{}: tensor '{}' begins at byte {} of the data, the one before it ends at {}", name(),
                            printable(entry.tensor.name), entry.offsets[0], end);
    end = entry.offsets[1];
    entry.tensor.bytes = data.subspan(entry.offsets[0], end - entry.offsets[0]);
    entry.tensor.file = file;
    tensors.push_back(std::move(entry.tensor));
  }
  if (end != data.size())
    throw data_corruption("{}: the tensors end at byte {} of the data, which has {}", name(), end, data.size());
  set_tensors(std::move(tensors));
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> image, std::string name) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile(std::move(name)));
  file->read(image, nullptr);
  return file;
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile(path.string()));
  const std::shared_ptr<const MappedFile> map = MappedFile::open(path);
  file->read(map->bytes(), map);
  return file;
}

CheckpointFiles open_safetensors(const std::filesystem::path& directory) {
  return open_checkpoint(directory, "model.safetensors", SafetensorsFile::open);
}

}  // namespace hearth
