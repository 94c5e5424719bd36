#include "runtime/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/io/json_file.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kLargestHeader = 100'000'000;  // the reference implementation's limit
constexpr size_t kLargestRank = 16;

// Bytes of a value; nothing for dtypes that are unknown, whose sizes could not be checked.
std::optional<uint64_t> dtype_bytes(std::string_view dtype) {
  static constexpr std::pair<std::string_view, uint64_t> kSizes[] = {
      {"F32", 4},     {"F16", 2},     {"BF16", 2}, {"BOOL", 1}, {"U8", 1},     {"I8", 1},
      {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2},  {"U16", 2},  {"I32", 4},    {"U32", 4},
      {"I64", 8},     {"U64", 8},     {"F64", 8},  {"C64", 8},  {"F8_E8M0", 1}};
  for (const auto& [name, bytes] : kSizes)
    if (name == dtype) return bytes;
  return std::nullopt;
}

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
    if (entry().tensor.shape.size() == kLargestRank) refuse(fmt::format("more than {} dimensions", kLargestRank));
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
  std::optional<uint64_t> bytes = dtype_bytes(entry.tensor.dtype);
  if (!bytes)
    throw data_corruption("{}: tensor '{}' has the unknown dtype '{}'", file, name, printable(entry.tensor.dtype));
  for (const int64_t dim : entry.tensor.shape)
    if (bytes) bytes = checked_multiply(*bytes, static_cast<uint64_t>(dim));
  const uint64_t begin = entry.offsets[0], end = entry.offsets[1];
  if (begin > end || end > data_bytes)
    throw data_corruption("{}: tensor '{}' lies at bytes {} to {} of the data, which has {}; download the file again",
                          file, name, begin, end, data_bytes);
  if (!bytes || *bytes != end - begin)
    throw data_corruption("{}: tensor '{}' has {} bytes, its dtype and shape take {}", file, name, end - begin,
                          bytes ? std::to_string(*bytes) : "more than 64 bits can count");
}

std::filesystem::path shard_path(const std::filesystem::path& directory, const std::string& index,
                                 const std::string& shard) {
  if (shard.empty() || shard == "." || shard == ".." || shard.find('/') != std::string::npos ||
      printable(shard) != shard)
    throw data_corruption("{}: names the file '{}'; it must be a plain name in the same directory", index,
                          printable(shard));
  return directory / shard;
}

}  // namespace

void SafetensorsFile::read(std::span<const std::byte> image) {
  if (image.size() < kLengthBytes)
    throw data_corruption("{}: not a safetensors file: {} bytes, a header's length takes 8", name_, image.size());
  uint64_t header_bytes;
  std::memcpy(&header_bytes, image.data(), kLengthBytes);
  if (header_bytes > kLargestHeader)
    throw data_corruption("{}: not a safetensors file: the header claims {} bytes, at most {} are allowed", name_,
                          header_bytes, kLargestHeader);
  if (header_bytes > image.size() - kLengthBytes)
    throw data_corruption("{}: the header claims {} bytes, the file has {}; download it again", name_, header_bytes,
                          image.size());
  const char* header = reinterpret_cast<const char*>(image.data() + kLengthBytes);
  if (header_bytes == 0 || header[0] != '{')
    throw data_corruption("{}: not a safetensors file: the header does not begin with '{{'", name_);

  std::vector<Entry> entries;
  HeaderReader reader(name_, entries);
  nlohmann::json::sax_parse(header, header + header_bytes, &reader);

  const std::span<const std::byte> data = image.subspan(kLengthBytes + header_bytes);
  for (const Entry& entry : entries) check_entry(name_, entry, data.size());
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  uint64_t end = 0;
  tensors_.reserve(entries.size());
  for (Entry& entry : entries) {
    if (entry.offsets[0] != end)
      throw data_corruption("{}: tensor '{}' begins at byte {} of the data, the one before it ends at {}", name_,
                            printable(entry.tensor.name), entry.offsets[0], end);
    end = entry.offsets[1];
    entry.tensor.bytes = data.subspan(entry.offsets[0], end - entry.offsets[0]);
    tensors_.push_back(std::move(entry.tensor));
  }
  if (end != data.size())
    throw data_corruption("{}: the tensors end at byte {} of the data, which has {}", name_, end, data.size());
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> image, std::string name) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile());
  file->name_ = std::move(name);
  file->read(image);
  return file;
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile());
  file->name_ = path.string();
  file->file_ = MappedFile::open(path);
  file->read(file->file_->bytes());
  return file;
}

const SafetensorsFile::Tensor* SafetensorsFile::tensor(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

std::vector<std::shared_ptr<const SafetensorsFile>> open_safetensors(const std::filesystem::path& directory) {
  const std::filesystem::path single = directory / "model.safetensors";
  if (std::filesystem::exists(single)) return {SafetensorsFile::open(single)};
  const std::filesystem::path index_path = directory / "model.safetensors.index.json";
  if (!std::filesystem::exists(index_path))
    throw not_found("{}: has neither model.safetensors nor model.safetensors.index.json", directory.string());

  const std::string index_name = index_path.string();
  const nlohmann::json index = read_json_file(index_path, kLargestHeader);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (map == index.end() || !map->is_object()) throw data_corruption("{}: has no object 'weight_map'", index_name);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string())
      throw data_corruption("{}: weight_map['{}'] is not a file name", index_name, printable(tensor));
    shards.insert(shard.get<std::string>());
  }
  std::vector<std::shared_ptr<const SafetensorsFile>> files;
  std::unordered_map<std::string_view, const SafetensorsFile*> owners;
  for (const std::string& shard : shards) {
    files.push_back(SafetensorsFile::open(shard_path(directory, index_name, shard)));
    for (const SafetensorsFile::Tensor& tensor : files.back()->tensors()) {
      const auto [owner, is_new] = owners.emplace(tensor.name, files.back().get());
      if (!is_new)
        throw data_corruption("{}: tensor '{}' is in {} too", files.back()->name(), printable(tensor.name),
                              owner->second->name());
    }
  }
  for (const auto& [tensor, shard] : map->items()) {
    if (!owners.contains(tensor))
      throw data_corruption("{}: promises tensor '{}' in {}, which does not have it", index_name, printable(tensor),
                            printable(shard.get<std::string>()));
  }
  return files;
}

}  // namespace hearth
