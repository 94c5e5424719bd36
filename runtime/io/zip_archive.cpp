#include "runtime/io/zip_archive.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/base/crc.h"
#include "runtime/base/error.h"
#include "runtime/base/inflate.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kEnd64Locator = 0x07064b50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kEnd64LocatorBytes = 20;
constexpr uint64_t kLongestComment = 0xffff;
constexpr uint16_t kExtra64 = 1;        // the extra field with 64-bit sizes
constexpr uint32_t kIn64 = 0xffffffff;  // stands for a value that is there

struct Directory {
  uint64_t offset = 0, bytes = 0, entries = 0;
};

constexpr uint16_t kStored = 0, kDeflated = 8;  // methods

struct Place {
  std::string_view name;
  uint64_t begin = 0, data = 0, end = 0;  // of the local header, its data, and after them
  ZipEntry entry;
};

class ZipReader {
 public:
  ZipReader(std::span<const std::byte> image, const std::string& file) : image_(image), file_(file) {}

  ZipEntries read() {
    const Directory directory = find_directory();
    std::vector<Place> places;
    uint64_t at = directory.offset;
    for (uint64_t i = 0; i < directory.entries; ++i) places.push_back(read_entry(at, directory));
    std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.begin < b.begin; });
    ZipEntries result;
    uint64_t end = 0;
    for (Place& place : places) {
      if (place.begin < end) refuse("entry '{}' overlaps the one before it", printable(place.name));
      end = place.end;
      place.entry.stored = image_.subspan(place.data, place.end - place.data);
      if (!result.emplace(place.name, place.entry).second) refuse("two entries are named '{}'", printable(place.name));
    }
    return result;
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw data_corruption("{}: {}; download the file again", file_, fmt::format(format, std::forward<Args>(args)...));
  }
  bool inside(uint64_t at, uint64_t bytes) const { return bytes <= image_.size() && at <= image_.size() - bytes; }
  template <class T>
  T get(uint64_t at) const {
    if (!inside(at, sizeof(T))) refuse("the archive ends inside a header at byte {}", at);
    T value;
    std::memcpy(&value, image_.data() + at, sizeof(T));
    return value;
  }
  std::string_view text(uint64_t at, uint64_t bytes) const {
    if (!inside(at, bytes)) refuse("the archive ends inside a name at byte {}", at);
    return {reinterpret_cast<const char*>(image_.data() + at), bytes};
  }

  Directory find_directory() const {
    const std::optional<uint64_t> found = find_end();
    if (!found) refuse("the zip archive has no end; it has {} bytes and may be cut short", image_.size());
    const uint64_t end = *found;
    Directory directory{get<uint32_t>(end + 16), get<uint32_t>(end + 12), get<uint16_t>(end + 10)};
    uint64_t limit = end;
    if (end >= kEnd64LocatorBytes && get<uint32_t>(end - kEnd64LocatorBytes) == kEnd64Locator) {
      limit = get<uint64_t>(end - kEnd64LocatorBytes + 8);
      if (!inside(limit, kEnd64Bytes) || get<uint32_t>(limit) != kEnd64)
        refuse("the zip64 end is not at byte {} as the archive says", limit);
      directory = {get<uint64_t>(limit + 48), get<uint64_t>(limit + 40), get<uint64_t>(limit + 32)};
    }
    if (directory.bytes > limit || directory.offset > limit - directory.bytes ||
        directory.entries > directory.bytes / kCentralBytes)
      refuse("the zip directory claims {} entries in {} bytes at byte {}, which do not fit", directory.entries,
             directory.bytes, directory.offset);
    return directory;
  }

  // The last end record whose comment ends with the file.
  std::optional<uint64_t> find_end() const {
    if (image_.size() < kEndBytes) return std::nullopt;
    const uint64_t last = image_.size() - kEndBytes;
    for (uint64_t comment = 0; comment <= std::min(last, kLongestComment); ++comment) {
      const uint64_t at = last - comment;
      if (get<uint32_t>(at) == kEnd && get<uint16_t>(at + 20) == comment) return at;
    }
    return std::nullopt;
  }

  // Reads the directory's header at `at` and moves it to the next.
  Place read_entry(uint64_t& at, const Directory& directory) const {
    const uint64_t limit = directory.offset + directory.bytes;
    if (at > limit - kCentralBytes || get<uint32_t>(at) != kCentralHeader)
      refuse("the zip directory has no entry at byte {}", at);
    const uint16_t flags = get<uint16_t>(at + 8), method = get<uint16_t>(at + 10);
    const uint64_t name_bytes = get<uint16_t>(at + 28), extra_bytes = get<uint16_t>(at + 30);
    Place place;
    place.name = text(at + kCentralBytes, name_bytes);
    if ((flags & 1) != 0 || (method != kStored && method != kDeflated))
      throw data_corruption("{}: entry '{}' is {}; pack it again, with deflate or as it is", file_,
                            printable(place.name), (flags & 1) != 0 ? "encrypted" : "compressed by another method");
    uint64_t packed = get<uint32_t>(at + 20);
    place.entry = {{}, get<uint32_t>(at + 24), get<uint32_t>(at + 16), method == kDeflated};
    place.begin = get<uint32_t>(at + 42);
    read_extra(at + kCentralBytes + name_bytes, extra_bytes, {&place.entry.size, &packed, &place.begin});
    if (!place.entry.is_compressed && packed != place.entry.size)
      refuse("entry '{}' has two sizes, {} and {}", printable(place.name), packed, place.entry.size);
    at += kCentralBytes + name_bytes + extra_bytes + get<uint16_t>(at + 32);
    if (at > limit) refuse("entry '{}' reaches out of the zip directory", printable(place.name));

    if (!inside(place.begin, kLocalBytes) || get<uint32_t>(place.begin) != kLocalHeader)
      refuse("entry '{}' is not at byte {} as the directory says", printable(place.name), place.begin);
    const uint64_t local_name_bytes = get<uint16_t>(place.begin + 26);
    place.data = place.begin + kLocalBytes + local_name_bytes + get<uint16_t>(place.begin + 28);
    if (text(place.begin + kLocalBytes, local_name_bytes) != place.name)
      refuse("entry '{}' has another name where it lies", printable(place.name));
    if (place.data > directory.offset || packed > directory.offset - place.data)
      refuse("entry '{}' with {} bytes at byte {} reaches out of the archive", printable(place.name), packed,
             place.data);
    place.end = place.data + packed;
    return place;
  }

  // Replaces the values that did not fit into 32 bits, which the zip64 field has in this order.
  void read_extra(uint64_t at, uint64_t bytes, std::initializer_list<uint64_t*> values) const {
    const uint64_t end = at + bytes;
    while (end - at >= 4) {
      const uint16_t id = get<uint16_t>(at);
      const uint64_t length = get<uint16_t>(at + 2);
      at += 4;
      if (length > end - at) refuse("an entry's extra field at byte {} is longer than its header says", at);
      if (id == kExtra64) {
        uint64_t place = at;
        for (uint64_t* value : values) {
          if (*value != kIn64 || place + sizeof(uint64_t) > at + length) continue;
          *value = get<uint64_t>(place);
          place += sizeof(uint64_t);
        }
        return;
      }
      at += length;
    }
  }

  std::span<const std::byte> image_;
  const std::string& file_;
};

}  // namespace

ZipEntries read_zip(std::span<const std::byte> image, const std::string& file) { return ZipReader(image, file).read(); }

std::string unpack(const ZipEntry& entry, uint64_t most, const std::string& name) {
  if (entry.size > most) throw data_corruption("{}: unpacks to {} bytes, the most are {}", name, entry.size, most);
  const std::string_view stored(reinterpret_cast<const char*>(entry.stored.data()), entry.stored.size());
  const std::optional<std::string> bytes =
      entry.is_compressed ? inflated(stored, Deflated::kRaw, entry.size) : std::string(stored);
  if (!bytes || bytes->size() != entry.size || crc32(*bytes) != entry.crc)
    throw data_corruption("{}: is damaged: it does not unpack to its {} bytes; download the file again", name,
                          entry.size);
  return *bytes;
}

StoredEntries read_stored_zip(std::span<const std::byte> image, const std::string& file) {
  StoredEntries entries;
  for (const auto& [name, entry] : read_zip(image, file)) {
    if (entry.is_compressed)
      throw data_corruption(
          "{}: entry '{}' is compressed; torch stores its data as it is, save it again with torch.save", file,
          printable(name));
    entries.emplace(name, entry.stored);
  }
  return entries;
}

}  // namespace hearth
