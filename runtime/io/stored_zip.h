// The entries of a zip archive that stores them as they are, so that they can stay mapped (PKWARE APPNOTE.TXT 4.3;
// zip64, as files of more than 4 GB need it). Untrusted: entries lie inside the image, apart from each other and from
// the directory, and no two have one name. Names are only ever compared: nothing is unpacked.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hearth {

using ZipEntries = std::unordered_map<std::string_view, std::span<const std::byte>>;

// Names and bytes are views of `image`. Throws kDataCorruption beginning with `file`; compressed and encrypted entries
// are refused by their names. Checksums are not compared: that would read all the weights.
ZipEntries read_stored_zip(std::span<const std::byte> image, const std::string& file);

}  // namespace hearth
