// Files that mean harm: each is read or refused with a message, under ASan without a fault.
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "models/images/decode_image.h"
#include "models/images/exif_orientation.h"
#include "runtime/base/error.h"
#include "tests/models/images/golden_images.h"

namespace hearth::test {
namespace {

// What it is refused with; nothing where it is read.
std::optional<std::string> refusal(const std::string& file) {
  try {
    const Image image = decode_image(file, "it");
    EXPECT_EQ(image.rgb.size(), size_t{3} * image.width * image.height);
    return std::nullopt;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with("it: ")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  const nlohmann::json golden = golden_images();
  for (const nlohmann::json& entry : golden.at("decoded")) all.push_back(entry.at("file"));
  return all;
}

std::string with(std::string file, size_t at, const std::string& bytes) {
  return file.replace(at, bytes.size(), bytes);
}

TEST(HostileImages, CutAnywhereAreRefused) {
  for (const std::string& name : names()) {
    const std::string whole = read_file(kImages + name);
    if (whole.size() < 150) continue;  // little but the end, of which decoders can miss some
    for (size_t part = 1; part <= 5; ++part) {
      const size_t length = whole.size() * part / 10;
      EXPECT_TRUE(refusal(whole.substr(0, length))) << name << " cut to " << length << " of " << whole.size();
    }
    for (size_t length = 0; length < 64; ++length) EXPECT_TRUE(refusal(whole.substr(0, length))) << name;
    for (size_t cut = 1; cut < 16; ++cut) refusal(whole.substr(0, whole.size() - cut));  // PIL reads some of these
  }
}

TEST(HostileImages, FlippedBitsAreReadOrRefused) {
  std::mt19937 random(7);
  for (const std::string& name : names()) {
    const std::string whole = read_file(kImages + name);
    for (int i = 0; i < 60; ++i) {
      std::string broken = whole;
      for (int flips = i % 4; flips >= 0; --flips)  // more in the headers
        broken[random() % (flips % 2 == 0 ? broken.size() : std::min<size_t>(broken.size(), 80))] ^= 1 << random() % 8;
      refusal(broken);
    }
  }
}

TEST(HostileImages, AnotherFormatsMagicIsRefused) {
  const std::vector<std::string> magics = {"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF89a", "GIF87a", "BM", "II*\0",
                                           "%PDF"};
  for (const std::string name : {"420.jpg", "rgb.png", "lossy.webp", "plain.gif"}) {
    const std::string whole = read_file(kImages + name);
    for (const std::string& magic : magics) {
      if (whole.starts_with(magic.substr(0, 3))) continue;
      EXPECT_TRUE(refusal(with(whole, 0, magic))) << name << magic;
    }
  }
}

TEST(HostileImages, HugeHeadersAreRefusedBeforeMemoryIsTaken) {
  const auto names_limit = [](const std::string& file) {
    return refusal(file).value_or("").find("make it smaller") != std::string::npos;
  };
  // Of a PNG the sizes stand under a checksum, which libpng looks at first: the file is refused either way.
  EXPECT_TRUE(refusal(with(read_file(kImages + "rgb.png"), 16, "\x7f\xff\xff\xff\x7f\xff\xff\xff")));
  const std::string jpeg = read_file(kImages + "420.jpg");
  const size_t frame = jpeg.find(std::string("\xff\xc0\0\x11\x08", 5));
  ASSERT_NE(frame, std::string::npos);
  EXPECT_TRUE(names_limit(with(jpeg, frame + 5, "\xff\xdc\xff\xdc")));
  EXPECT_TRUE(names_limit(with(jpeg, frame + 5, "\x7f\xff\x7f\xff")));
  refusal(with(jpeg, frame + 5, "\x40\x10\x01\x01"));  // below the limits: PIL reads it, grey where pixels are missing
  const std::string gif = read_file(kImages + "plain.gif");
  EXPECT_TRUE(names_limit(with(gif, 6, "\xff\xff\xff\xff")));
  const std::string animated = read_file(kImages + "animated_offset.webp");
  EXPECT_TRUE(names_limit(with(animated, 24, std::string("\xff\xff\0\xff\x0f\0", 6))));
}

TEST(HostileImages, ManyScansAreRefused) {
  const std::string whole = read_file(kImages + "progressive.jpg");
  const size_t last_scan = whole.rfind(std::string("\xff\xda", 2));
  std::string many = whole.substr(0, whole.size() - 2);
  for (int i = 0; i < 300; ++i) many += whole.substr(last_scan, whole.size() - 2 - last_scan);
  EXPECT_TRUE(refusal(many + "\xff\xd9"));
}

std::string little(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i);
  return out;
}

std::string jpeg_with_exif(const std::string& tiff) {
  const size_t length = tiff.size() + 8;
  return std::string("\xff\xd8\xff\xe1") + static_cast<char>(length >> 8) + static_cast<char>(length) +
         std::string("Exif\0\0", 6) + tiff + "\xff\xda";
}

TEST(HostileImages, BrokenExifCountsAsUpright) {
  const std::string head("II*\0", 4);
  const std::string turned = little(0x0112, 2) + little(3, 2) + little(1, 4) + little(6, 4);
  EXPECT_EQ(exif_orientation(jpeg_with_exif(head + little(8, 4) + little(1, 2) + turned)), 6);
  // A directory that lies in the header, behind the end, at the end of 32 bits, or that says to have more than it has.
  for (const uint64_t offset :
       {uint64_t{0}, uint64_t{4}, uint64_t{9}, uint64_t{30}, uint64_t{0xfffffff0}, uint64_t{0xffffffff}})
    EXPECT_EQ(exif_orientation(jpeg_with_exif(head + little(offset, 4) + little(1, 2) + turned)), 1) << offset;
  EXPECT_EQ(exif_orientation(jpeg_with_exif(head + little(8, 4) + little(0xffff, 2) + turned)), 6);
  EXPECT_EQ(exif_orientation(jpeg_with_exif(head + little(8, 4) + little(1, 2) + turned.substr(0, 9))), 1);
  EXPECT_EQ(exif_orientation(jpeg_with_exif(head + little(8, 4) + little(0, 2) + turned)), 1);
  // A next directory that is the first one again is not followed.
  EXPECT_EQ(exif_orientation(jpeg_with_exif(head + little(8, 4) + little(1, 2) + turned + little(8, 4))), 6);
  for (const int wrong : {0, 9, 0xffff})
    EXPECT_EQ(
        exif_orientation(jpeg_with_exif(head + little(8, 4) + little(1, 2) + turned.substr(0, 8) + little(wrong, 4))),
        1);
  EXPECT_EQ(exif_orientation("\xff\xd8\xff\xe1"), 1);
  EXPECT_EQ(exif_orientation(std::string("\xff\xd8\xff\xe1\0\0", 6)), 1);
  EXPECT_EQ(exif_orientation("\xff\xd8\xff\xe1\xff\xff"
                             "Exif"),
            1);
  EXPECT_EQ(exif_orientation(std::string("\x89PNG\r\n\x1a\n\xff\xff\xff\xff"
                                         "eXIf",
                                         16)),
            1);
  EXPECT_EQ(exif_orientation(std::string("RIFF\xff\xff\xff\xffWEBPEXIF\xff\xff\xff\xff", 20)), 1);
}

}  // namespace
}  // namespace hearth::test
