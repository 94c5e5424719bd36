// The entries of a zip archive in memory, most often a mapped file (PKWARE APPNOTE.TXT 4.3; zip64, as files of more
// than 4 GB need it). Untrusted: entries lie inside the image, apart from each other and from the directory, and no two
// have one name. Names are only ever compared: nothing is unpacked to a path of the archive's choosing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hearth {

struct ZipEntry {
  std::span<const std::byte> stored;  // as it lies in the archive
  uint64_t size = 0;                  // of what it unpacks to, as the directory says
  uint32_t crc = 0;
  bool is_compressed = false;  // by deflate
};

// By name. Names and bytes are views of `image`. Throws kDataCorruption beginning with `file`; encrypted entries and
// those of another compression are refused by their names.
using ZipEntries = std::unordered_map<std::string_view, ZipEntry>;
ZipEntries read_zip(std::span<const std::byte> image, const std::string& file);

// What is in an entry of read_zip. It is unpacked no further than its size says; one of more than `most` bytes, one
// that is not of its size and one with another checksum are kDataCorruption. `name` is that of the file and the entry.
std::string unpack(const ZipEntry& entry, uint64_t most, const std::string& name);

// Of an archive that stores its entries as they are, so that they can stay mapped. Throws as read_zip; a compressed
// entry is refused too. Checksums are not compared: that would read all the weights.
using StoredEntries = std::unordered_map<std::string_view, std::span<const std::byte>>;
StoredEntries read_stored_zip(std::span<const std::byte> image, const std::string& file);

}  // namespace hearth
