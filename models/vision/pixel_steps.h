// What the kinds of image processors share: the keys of preprocessor_config.json, cuts, and the last step to floats.
// As transformers' PilBackend and image_transforms: all but the last step are on 8 bits a channel.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "models/config_reader.h"
#include "models/images/image.h"
#include "models/images/resize.h"
#include "models/vision/image_processor.h"

namespace hearth {

struct ProcessorConfig {
  ProcessorConfig(const nlohmann::json& object, const std::string& place) : json(object), keys(object, place) {}
  const nlohmann::json& json;
  ConfigReader keys;
};

struct PixelSize {
  int height, width;
  bool operator==(const PixelSize&) const = default;
};

// The `size` of a config: each 0 when it does not say.
struct SizeKeys {
  int height = 0, width = 0, shortest_edge = 0, longest_edge = 0;
};
// How an older config's plain number is meant.
enum class PlainSize { kSquare, kShortestEdge };

// An object, a number or [height, width]; `fallback` when absent. Throws kInvalidArgument.
SizeKeys read_size(const ProcessorConfig& config, const std::string& key, SizeKeys fallback, PlainSize plain);
Resampling read_resampling(const ProcessorConfig& config, Resampling fallback);
// The key as an object's `longest_edge`, `fallback` when absent.
int read_longest_edge(const ProcessorConfig& config, const std::string& key, int fallback);

// Rescaling and normalisation: float32(value * rescale_factor), less the mean, by the deviation.
class Normalisation {
 public:
  using Channels = std::array<double, 3>;
  static constexpr Channels kClipMean = {0.48145466, 0.4578275, 0.40821073},
                            kClipDeviation = {0.26862954, 0.26130258, 0.27577711}, kHalf = {0.5, 0.5, 0.5};

  Normalisation(const ProcessorConfig& config, const Channels& mean, const Channels& deviation);
  PixelTile operator()(const Image& image) const;
  const Channels& mean() const { return mean_; }

 private:
  Channels mean_;
  std::array<std::array<float, 256>, 3> values_;  // of each channel's bytes
};

// Throw kInvalidArgument when the result would be empty or have more than kMostProcessedPixels.
Image resized(const Image& image, PixelSize size, Resampling resampling);
// The part of `image` from (top, left), with `fill` where that lies outside.
Image window(const Image& image, int top, int left, PixelSize size, std::array<uint8_t, 3> fill = {0, 0, 0});
Image center_crop(const Image& image, PixelSize size);

// What PilBackend.resize makes of a picture's size; `size` has height and width, or the shortest edge (with the longest
// or without).
PixelSize target_size(const Image& image, const SizeKeys& size);

// Throws kInvalidArgument unless `size` is what target_size() takes.
void check_target(const ProcessorConfig& config, const SizeKeys& size);

ProcessedImage processed(const Image& original, std::vector<PixelTile> tiles, int tile_rows = 0, int tile_columns = 0);

}  // namespace hearth
