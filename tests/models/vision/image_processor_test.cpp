#include "models/vision/image_processor.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "models/images/decode_image.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/json_file.h"
#include "tests/support/error_of.h"
#include "tests/support/sha256.h"
#include "tests/support/temporary_directory.h"

namespace hearth::test {
namespace {

namespace fs = std::filesystem;

const fs::path kProcessors = "tests/golden/image_processors";

// As an entry of expected.json (tests/golden/make_image_processors.py).
nlohmann::json outcome(const ImageProcessor& processor, const Image& image) {
  ProcessedImage made;
  try {
    made = processor(image);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << error.what();
    return "refused";
  }
  EXPECT_EQ(made.original_height, image.height);
  EXPECT_EQ(made.original_width, image.width);
  nlohmann::json tiles = nlohmann::json::array();
  for (const PixelTile& tile : made.tiles) {
    const std::string bytes(reinterpret_cast<const char*>(tile.pixels.data()), tile.pixels.size() * sizeof(float));
    tiles.push_back({tile.height, tile.width, tile.shown_height, tile.shown_width, sha256(bytes)});
  }
  return {{"rows", made.tile_rows}, {"columns", made.tile_columns}, {"tiles", tiles}};
}

TEST(ImageProcessor, EqualsTransformersBitForBit) {
  int cases = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(kProcessors)) {
    if (!entry.is_directory()) continue;
    const auto processor = load_image_processor(entry.path());
    const nlohmann::json expected = read_json_file(entry.path() / "expected.json");
    for (const auto& [name, result] : expected.items()) {
      const Image image = decode_image(read_file(kProcessors / (name + ".png")), name);
      EXPECT_EQ(outcome(*processor, image), result) << entry.path() << ": " << name;
      ++cases;
    }
  }
  EXPECT_EQ(cases, 17 * 6);
}

std::string error_of_config(const std::string& config) {
  const TemporaryDirectory directory;
  write_file_atomic(directory.path() / "preprocessor_config.json", config);
  const std::string message = error_of([&] { load_image_processor(directory.path()); });
  const size_t at = message.find("preprocessor_config.json: ");
  return at == std::string::npos ? message : message.substr(at + std::string("preprocessor_config.json: ").size());
}

TEST(ImageProcessor, NamesTheKeyThatItCannotTake) {
  EXPECT_EQ(error_of_config("{}"), "has no image_processor_type");
  EXPECT_EQ(error_of_config(R"({"image_processor_type": "ViTImageProcessor"})"),
            "image_processor_type 'ViTImageProcessor' is not one that hearth has; it has CLIPImageProcessor, "
            "SiglipImageProcessor, LlavaImageProcessor, LlavaNextImageProcessor, Qwen2VLImageProcessor, "
            "Idefics2ImageProcessor, Idefics3ImageProcessor, SmolVLMImageProcessor");
  const auto clip = [](const std::string& rest) {
    return error_of_config(R"({"image_processor_type": "CLIPImageProcessor", )" + rest + "}");
  };
  EXPECT_EQ(clip(R"("size": {"longest_edge": 3})"), "size must have height and width, or shortest_edge");
  EXPECT_EQ(clip(R"("size": {"height": 0, "width": 3})"), "size: height is 0, must be an integer from 1 to 67108864");
  EXPECT_EQ(clip(R"("size": [1, 2, 3])"), "size must be a size or [height, width]");
  EXPECT_EQ(clip(R"("resample": 4)"), "resample is 4, must be an integer from 0 to 3");
  EXPECT_EQ(clip(R"("image_mean": [0.5])"), "image_mean has 1 numbers, must have 3");
  EXPECT_EQ(clip(R"("image_std": [0, 1, 1])").find("image_std is [0,1,1], must be numbers from"), 0);
  EXPECT_EQ(clip(R"("do_resize": 1)"), "do_resize is 1, must be true or false");
  EXPECT_EQ(error_of_config(R"({"image_processor_type": "LlavaNextImageProcessor", "image_grid_pinpoints": [[1]]})"),
            "image_grid_pinpoints must be a list of pairs [height, width]");
  EXPECT_EQ(error_of_config(R"({"image_processor_type": "Idefics3ImageProcessor", "size": {"shortest_edge": 3}})"),
            "size must have longest_edge, or height and width");
  EXPECT_EQ(error_of_config(R"({"image_processor_type": "Idefics2ImageProcessor", "size": {"shortest_edge": 3}})"),
            "size must have shortest_edge and longest_edge, or height and width");
}

TEST(ImageProcessor, RefusesAPictureThatWouldGrowBeyondMemory) {
  const TemporaryDirectory directory;
  write_file_atomic(directory.path() / "preprocessor_config.json", R"({"image_processor_type": "CLIPImageProcessor"})");
  const auto processor = load_image_processor(directory.path());
  const Image thread{20000, 1, std::vector<uint8_t>(60000)};
  EXPECT_EQ(
      error_of([&] { (*processor)(thread); }),
      "a picture of 20000 x 1 pixels would become 4480000 x 224 for this model, which takes 1 to 67108864 pixels in "
      "all; send one whose sides differ less");
}

}  // namespace
}  // namespace hearth::test
