// Builds files of torch.save byte by byte, so that a test can say what is wrong in one: opcodes of a pickle (a text
// each, joined with +) and a stored zip archive.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::test::torch_image {

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

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

struct Entry {
  std::string name, bytes;
  uint64_t at = 0;  // of the local header; 0: after the entry before it
  uint16_t method = 0, flags = 0;
};

// What follows the entries, which lie where `at` says.
inline std::string zip_directory(const std::vector<Entry>& entries, uint64_t at, bool zip64) {
  std::string directory;
  for (const Entry& entry : entries) {
    const auto narrow = [&](uint64_t value) { return zip64 ? ~uint32_t{0} : static_cast<uint32_t>(value); };
    const uint64_t size = entry.bytes.size();
    const std::string extra = zip64 ? raw(uint16_t{1}) + raw(uint16_t{24}) + raw(size) + raw(size) + raw(entry.at) : "";
    directory += "PK\1\2" + std::string(4, '\0') + raw(entry.flags) + raw(entry.method) + std::string(8, '\0');
    directory += raw(narrow(size)) + raw(narrow(size)) + raw(static_cast<uint16_t>(entry.name.size()));
    directory += raw(static_cast<uint16_t>(extra.size())) + std::string(10, '\0') + raw(narrow(entry.at));
    directory += entry.name + extra;
  }
  const uint64_t count = entries.size(), bytes = directory.size(), end = at + bytes;
  if (zip64) {
    directory += "PK\6\6" + raw(uint64_t{44}) + std::string(12, '\0') + raw(count) + raw(count) + raw(bytes) + raw(at);
    directory += "PK\6\7" + std::string(4, '\0') + raw(end) + raw(uint32_t{1});
  }
  const std::string entry_count = raw(static_cast<uint16_t>(zip64 ? ~0 : count));
  return directory + "PK\5\6" + std::string(4, '\0') + entry_count + entry_count +
         raw(static_cast<uint32_t>(zip64 ? ~0 : bytes)) + raw(static_cast<uint32_t>(zip64 ? ~0 : at)) +
         std::string(2, '\0');
}

inline std::string local_entry(const Entry& entry) {
  const std::string size = raw(static_cast<uint32_t>(entry.bytes.size()));
  return "PK\3\4" + std::string(14, '\0') + size + size + raw(static_cast<uint16_t>(entry.name.size())) +
         std::string(2, '\0') + entry.name + entry.bytes;
}

inline std::string zip(std::vector<Entry> entries, bool zip64 = false) {
  std::string image;
  for (Entry& entry : entries) {
    if (entry.at == 0) entry.at = image.size();
    image += local_entry(entry);
  }
  return image + zip_directory(entries, image.size(), zip64);
}

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
