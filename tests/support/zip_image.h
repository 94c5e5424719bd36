// Builds zip archives byte by byte, so that a test can say what is wrong in one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <zlib.h>

#include "runtime/base/crc.h"

namespace hearth::test::zip_image {

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

struct Entry {
  std::string name, bytes;
  uint64_t at = 0;  // of the local header; 0: after the entry before it
  uint16_t method = 0, flags = 0;
  std::optional<uint64_t> size = {};  // of what it unpacks to; unset: as it lies
  std::optional<uint32_t> crc = {};
};

// The same, packed with deflate.
inline Entry deflated(Entry entry) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, entry.bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(entry.bytes.data());
  stream.avail_in = static_cast<uInt>(entry.bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  entry.method = 8;
  entry.size = entry.bytes.size();
  entry.crc = crc32(std::string_view(entry.bytes));
  entry.bytes = packed;
  return entry;
}

// What follows the entries, which lie where `at` says.
inline std::string zip_directory(const std::vector<Entry>& entries, uint64_t at, bool zip64) {
  std::string directory;
  for (const Entry& entry : entries) {
    const auto narrow = [&](uint64_t value) { return zip64 ? ~uint32_t{0} : static_cast<uint32_t>(value); };
    const uint64_t packed = entry.bytes.size(), size = entry.size.value_or(packed);
    const std::string extra =
        zip64 ? raw(uint16_t{1}) + raw(uint16_t{24}) + raw(size) + raw(packed) + raw(entry.at) : "";
    directory += "PK\1\2" + std::string(4, '\0') + raw(entry.flags) + raw(entry.method) + std::string(4, '\0');
    directory += raw(entry.crc.value_or(crc32(std::string_view(entry.bytes))));
    directory += raw(narrow(packed)) + raw(narrow(size)) + raw(static_cast<uint16_t>(entry.name.size()));
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

}  // namespace hearth::test::zip_image
