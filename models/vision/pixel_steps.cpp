#include "models/vision/pixel_steps.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr int64_t kLargestSize = kMostProcessedPixels;  // Qwen2-VL's edges are numbers of pixels

void check_size(PixelSize size, const Image& image) {
  if (size.height < 1 || size.width < 1 || size.width > kMostProcessedPixels / size.height)
    throw invalid_argument(
        "a picture of {} x {} pixels would become {} x {} for this model, which takes 1 to {} pixels in all; send one "
        "whose sides differ less",
        image.width, image.height, size.width, size.height, kMostProcessedPixels);
}

// int(): what is beyond an int is refused by check_size later.
int truncated(double value) { return static_cast<int>(std::min(value, 2147483647.0)); }

// transformers' get_size_with_aspect_ratio.
PixelSize between_edges(const Image& image, int shortest, int longest) {
  const int height = image.height, width = image.width;
  const double least = std::min(height, width), most = std::max(height, width);
  double edge = shortest;
  int size = shortest;
  if (most / least * shortest > longest) {
    edge = longest * least / most;
    size = static_cast<int>(std::nearbyint(edge));
  }
  if (least == size) return {height, width};
  if (width < height) return {truncated(edge * height / width), size};
  return {size, truncated(edge * width / height)};
}

}  // namespace

SizeKeys read_size(const ProcessorConfig& config, const std::string& key, SizeKeys fallback, PlainSize plain) {
  if (!config.keys.has(key)) return fallback;
  SizeKeys size;
  if (!config.json.at(key).is_object()) {
    const auto edges = config.keys.integers(key, 1, kLargestSize);
    if (edges.size() != 1 && edges.size() != 2)
      throw invalid_argument("{}: {} must be a size or [height, width]", config.keys.place(), key);
    const bool shortest = edges.size() == 1 && plain == PlainSize::kShortestEdge;
    (shortest ? size.shortest_edge : size.height) = static_cast<int>(edges.front());
    if (!shortest) size.width = static_cast<int>(edges.back());
    return size;
  }
  const ConfigReader object = *config.keys.object(key);
  const auto edge = [&](const char* name) {
    return static_cast<int>(object.integer(name, 1, kLargestSize).value_or(0));
  };
  return {edge("height"), edge("width"), edge("shortest_edge"), edge("longest_edge")};
}

Resampling read_resampling(const ProcessorConfig& config, Resampling fallback) {
  return static_cast<Resampling>(config.keys.integer("resample", 0, 3).value_or(static_cast<int>(fallback)));
}

int read_longest_edge(const ProcessorConfig& config, const std::string& key, int fallback) {
  constexpr int kLargestEdge = 8192;
  const auto object = config.keys.object(key);
  return object ? static_cast<int>(object->required_integer("longest_edge", 1, kLargestEdge)) : fallback;
}

Normalisation::Normalisation(const ProcessorConfig& config, const Channels& mean, const Channels& deviation)
    : mean_(mean) {
  const auto read = [&](const char* key, double least, Channels fallback) {
    constexpr double kLargest = 1e6;
    const std::vector<double> given = config.keys.numbers(key, least, kLargest);
    if (given.empty()) return fallback;
    if (given.size() != fallback.size())
      throw invalid_argument("{}: {} has {} numbers, must have 3", config.keys.place(), key, given.size());
    std::copy_n(given.begin(), given.size(), fallback.begin());
    return fallback;
  };
  mean_ = read("image_mean", -1e6, mean);
  const Channels by = read("image_std", 1e-6, deviation);
  const bool rescale = config.keys.boolean("do_rescale").value_or(true);
  const bool normalise = config.keys.boolean("do_normalize").value_or(true);
  const double factor = rescale ? config.keys.number("rescale_factor", 0, 1e6).value_or(1.0 / 255) : 1.0;
  for (size_t channel = 0; channel < values_.size(); ++channel)
    for (size_t byte = 0; byte < values_[channel].size(); ++byte) {
      float& value = values_[channel][byte];
      value = static_cast<float>(static_cast<double>(byte) * factor);
      if (normalise) value = (value - static_cast<float>(mean_[channel])) / static_cast<float>(by[channel]);
    }
}

PixelTile Normalisation::operator()(const Image& image) const {
  const size_t plane = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  PixelTile tile{image.height, image.width, std::vector<float>(3 * plane), image.height, image.width};
  for (size_t channel = 0; channel < 3; ++channel)
    for (size_t i = 0; i < plane; ++i) tile.pixels[channel * plane + i] = values_[channel][image.rgb[3 * i + channel]];
  return tile;
}

Image resized(const Image& image, PixelSize size, Resampling resampling) {
  check_size(size, image);
  // What lies between the two passes can be larger than both ends.
  check_size({image.height, size.width}, image);
  check_size({size.height, image.width}, image);
  return resize(image, size.width, size.height, resampling);
}

Image window(const Image& image, int top, int left, PixelSize size, std::array<uint8_t, 3> fill) {
  check_size(size, image);
  Image out{size.width, size.height};
  out.rgb.resize(size_t{3} * static_cast<size_t>(size.width) * static_cast<size_t>(size.height));
  for (size_t i = 0; i < out.rgb.size(); i += 3) std::copy_n(fill.begin(), 3, out.rgb.begin() + i);
  const int begin = std::max(left, 0), end = std::min(left + size.width, image.width);
  if (begin >= end) return out;
  for (int y = std::max(top, 0); y < std::min(top + size.height, image.height); ++y)
    std::copy_n(image.row(y) + 3 * begin, 3 * (end - begin), out.row(y - top) + 3 * (begin - left));
  return out;
}

Image center_crop(const Image& image, PixelSize size) {
  const auto start = [](int whole, int part) { return static_cast<int>(std::floor((whole - part) / 2.0)); };
  return window(image, start(image.height, size.height), start(image.width, size.width), size);
}

PixelSize target_size(const Image& image, const SizeKeys& size) {
  if (size.shortest_edge > 0 && size.longest_edge > 0)
    return between_edges(image, size.shortest_edge, size.longest_edge);
  if (size.shortest_edge == 0) return {size.height, size.width};
  const int least = std::min(image.width, image.height), most = std::max(image.width, image.height);
  const int longer = truncated(static_cast<double>(int64_t{size.shortest_edge} * most) / least);
  return image.width <= image.height ? PixelSize{longer, size.shortest_edge} : PixelSize{size.shortest_edge, longer};
}

void check_target(const ProcessorConfig& config, const SizeKeys& size) {
  if (size.shortest_edge == 0 && (size.height == 0 || size.width == 0))
    throw invalid_argument("{}: size must have height and width, or shortest_edge", config.keys.place());
}

ProcessedImage processed(const Image& original, std::vector<PixelTile> tiles, int tile_rows, int tile_columns) {
  return {std::move(tiles), tile_rows, tile_columns, original.height, original.width};
}

}  // namespace hearth
