#include "models/images/exif_orientation.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace hearth {
namespace {

constexpr std::string_view kExifHeader{"Exif\0\0", 6};
enum class ByteOrder { kLittle, kBig };

// Nothing where the bytes end before.
std::optional<uint64_t> number_at(std::string_view bytes, uint64_t offset, size_t width, ByteOrder order) {
  if (offset > bytes.size() || bytes.size() - offset < width) return std::nullopt;
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i) {
    const size_t place = order == ByteOrder::kBig ? i : width - 1 - i;
    value = value << 8 | static_cast<unsigned char>(bytes[offset + place]);
  }
  return value;
}

// The segments before the pixels (ITU T.81, B.1): 0xff, marker, 16-bit length that counts itself.
std::string_view exif_of_jpeg(std::string_view file) {
  constexpr uint64_t kApp1 = 0xe1, kStartOfScan = 0xda, kEndOfImage = 0xd9;
  size_t at = 2;
  while (const auto prefix = number_at(file, at, 2, ByteOrder::kBig)) {
    const uint64_t marker = *prefix & 0xff;
    if (*prefix >> 8 != 0xff || marker == 0xff) {  // fill bytes, or rubbish that decoders skip too
      ++at;
      continue;
    }
    if (marker == kStartOfScan || marker == kEndOfImage) return {};
    if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {  // without a length
      at += 2;
      continue;
    }
    const uint64_t length = number_at(file, at + 2, 2, ByteOrder::kBig).value_or(0);
    if (length < 2 || length > file.size() - at - 2) return {};
    const std::string_view content = file.substr(at + 4, length - 2);
    if (marker == kApp1 && content.starts_with(kExifHeader)) return content.substr(kExifHeader.size());
    at += 2 + length;
  }
  return {};
}

// Chunks after the 8-byte signature: 32-bit length, type, content, checksum.
std::string_view exif_of_png(std::string_view file) {
  size_t at = 8;
  while (const auto length = number_at(file, at, 4, ByteOrder::kBig)) {
    if (file.size() - at < 12 || *length > file.size() - at - 12) return {};
    if (file.substr(at + 4, 4) == "eXIf") return file.substr(at + 8, *length);
    at += 12 + *length;
  }
  return {};
}

// RIFF chunks after "RIFF", size, "WEBP": type, 32-bit length, content to an even number of bytes.
std::string_view exif_of_webp(std::string_view file) {
  size_t at = 12;
  while (const auto length = number_at(file, at + 4, 4, ByteOrder::kLittle)) {
    if (*length > file.size() - at - 8) return {};
    if (file.substr(at, 4) == "EXIF") return file.substr(at + 8, *length);
    at += 8 + *length + *length % 2;
  }
  return {};
}

// The tag of the first directory (TIFF 6.0, section 2); nothing is followed further.
int orientation_of_tiff(std::string_view tiff) {
  while (tiff.starts_with(kExifHeader)) tiff.remove_prefix(kExifHeader.size());
  constexpr std::string_view kLittleEndian{"II*\0", 4}, kBigEndian{"MM\0*", 4};
  if (!tiff.starts_with(kLittleEndian) && !tiff.starts_with(kBigEndian)) return 1;
  const ByteOrder order = tiff.starts_with(kBigEndian) ? ByteOrder::kBig : ByteOrder::kLittle;
  const auto directory = number_at(tiff, 4, 4, order);
  const auto entries = directory ? number_at(tiff, *directory, 2, order) : std::nullopt;
  if (!entries) return 1;
  uint64_t orientation = 1;
  for (uint64_t i = 0; i < *entries; ++i) {
    constexpr uint64_t kOrientation = 0x0112, kByte = 1, kShort = 3, kLong = 4;
    const uint64_t entry = *directory + 2 + 12 * i;
    if (number_at(tiff, entry, 2, order) != kOrientation) continue;
    const auto type = number_at(tiff, entry + 2, 2, order);
    const size_t width = type == kByte ? 1 : type == kShort ? 2 : type == kLong ? 4 : 0;
    orientation = number_at(tiff, entry + 8, width, order).value_or(1);
  }
  return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
}

}  // namespace

int exif_orientation(std::string_view file) {
  if (file.starts_with("\xff\xd8")) return orientation_of_tiff(exif_of_jpeg(file));
  if (file.starts_with("\x89PNG")) return orientation_of_tiff(exif_of_png(file));
  if (file.starts_with("RIFF")) return orientation_of_tiff(exif_of_webp(file));
  return 1;
}

}  // namespace hearth
