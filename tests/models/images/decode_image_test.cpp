#include "models/images/decode_image.h"

#include <gtest/gtest.h>

#include "tests/models/images/golden_images.h"
#include "tests/support/error_of.h"

namespace hearth::test {
namespace {

TEST(DecodeImage, GivesThePixelsThatPilGives) {
  const nlohmann::json golden = golden_images();
  for (nlohmann::json expected : golden.at("decoded")) {
    const std::string name = expected.at("file");
    expected.erase("file");
    EXPECT_EQ(entry_of(decode_image(read_file(kImages + name), name)), expected) << name;
  }
}

TEST(DecodeImage, SaysWhatIsWrongInOneLine) {
  EXPECT_EQ(error_of([] { decode_image("%PDF-1.7", "messages[0]"); }),
            "messages[0]: not a picture that hearth reads; it reads PNG, JPEG, WebP and GIF");
  EXPECT_EQ(error_of([] { decode_image("", "it"); }),
            "it: not a picture that hearth reads; it reads PNG, JPEG, WebP and GIF");
  const std::string png = read_file(kImages + "rgb.png");
  EXPECT_EQ(error_of([&] { decode_image(png.substr(0, 100), "it"); }),
            "it: the PNG is broken or cut short: it ends too early");
  EXPECT_EQ(error_of([&] { decode_image(png, "it", {.most_pixels = 23 * 17 - 1}); }),
            "it: the picture has 23 x 17 pixels; at most 390 in all and 32768 a side are taken, make it smaller");
  EXPECT_EQ(error_of([&] { decode_image(png, "it", {.longest_side = 22}); }),
            "it: the picture has 23 x 17 pixels; at most 67108864 in all and 22 a side are taken, make it smaller");
  EXPECT_EQ(
      error_of([&] { decode_image(png, "it", {.most_bytes = 99}); }),
      "it: the picture's file has " + std::to_string(png.size()) + " bytes; at most 99 are taken, make it smaller");
  const std::string jpeg = read_file(kImages + "420.jpg");
  EXPECT_EQ(error_of([&] { decode_image(jpeg.substr(0, jpeg.size() / 2), "it"); }),
            "it: the JPEG is broken or cut short: Premature end of JPEG file");
  const std::string webp = read_file(kImages + "lossy.webp");
  EXPECT_EQ(error_of([&] { decode_image(webp.substr(0, webp.size() / 2), "it"); }),
            "it: the WebP is broken or cut short: its chunks do not add up");
  const std::string gif = read_file(kImages + "plain.gif");
  EXPECT_EQ(error_of([&] { decode_image(gif.substr(0, gif.size() / 2), "it"); }).find("it: the GIF is broken"), 0);
}

}  // namespace
}  // namespace hearth::test
