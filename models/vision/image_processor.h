// From pictures to what a vision tower reads, as transformers' PIL image processors make it (CLIPImageProcessorPil and
// its like): sizes, resampling, tiles, normalisation. Which tokens stand for it in a prompt, the model's family says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/images/image.h"

namespace hearth {

struct PixelTile {
  int height = 0, width = 0;
  std::vector<float> pixels = {};  // [3, height, width], normalised
  // What is below and to the right of these is padding, 0 after normalisation (Idefics2's tiles of different sizes).
  int shown_height = 0, shown_width = 0;
};

struct ProcessedImage {
  std::vector<PixelTile> tiles;  // in the order in which the processor has them
  // How `tiles` lie: LLaVA-NeXT's grid after the whole picture (tiles[0]), Idefics' grid before it; 0, 0: one tile.
  int tile_rows = 0, tile_columns = 0;
  int original_height = 0, original_width = 0;  // of the picture that came in
};

constexpr int64_t kMostProcessedPixels = int64_t{1} << 26;  // of a picture at any step

class ImageProcessor {
 public:
  virtual ~ImageProcessor() = default;
  // Throws kInvalidArgument for a picture that the processor refuses (Qwen2-VL's: sides more than 200 to 1; any: what
  // would become larger than kMostProcessedPixels). Any thread.
  virtual ProcessedImage operator()(const Image& image) const = 0;
};

// By its keys; `place` for messages. Throws kInvalidArgument naming the key or the kind that hearth does not have.
std::unique_ptr<const ImageProcessor> make_image_processor(const nlohmann::json& json, const std::string& place);

// By the image_processor part of a model directory's processor_config.json, else by preprocessor_config.json. Throws
// what make_image_processor does, kNotFound and kDataCorruption.
std::unique_ptr<const ImageProcessor> load_image_processor(const std::filesystem::path& directory);

}  // namespace hearth
