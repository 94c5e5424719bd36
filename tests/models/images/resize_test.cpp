#include "models/images/resize.h"

#include <gtest/gtest.h>

#include "models/images/decode_image.h"
#include "tests/models/images/golden_images.h"

namespace hearth::test {
namespace {

TEST(Resize, EqualsPilsToTheBit) {
  const Image large = decode_image(read_file(kImages + "large.png"), "large.png");
  const nlohmann::json golden = golden_images();
  for (nlohmann::json expected : golden.at("resized")) {
    const auto resampling = static_cast<Resampling>(expected.at("resampling").get<int>());
    const Image image = resize(large, expected.at("width"), expected.at("height"), resampling);
    const std::string what = expected.dump();
    expected.erase("resampling");
    EXPECT_EQ(entry_of(image), expected) << what;
  }
}

}  // namespace
}  // namespace hearth::test
