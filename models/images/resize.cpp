// After Pillow 13's Resample.c (8 bits a channel): each output pixel is a weighted sum along the rows, rounded to 8
// bits, then one along the columns. The weights are fixed-point numbers.
#include "models/images/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "runtime/base/error.h"
#include "runtime/base/parallel.h"

namespace hearth {
namespace {

constexpr int kFractionBits = 22;

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

struct Filter {
  double support;
  double (*weight)(double);
};

Filter filter_of(Resampling resampling) {
  switch (resampling) {
    case Resampling::kLanczos:
      return {3.0, [](double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }};
    case Resampling::kBicubic:
      return {2.0, [](double x) {
                constexpr double a = -0.5;
                x = std::abs(x);
                if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
                return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
              }};
    default:
      return {1.0, [](double x) { return std::max(1.0 - std::abs(x), 0.0); }};
  }
}

// Of each output position the input positions it sums, from first[i], with the weights from weights[i * stride].
struct Weights {
  std::vector<int> first, count;
  std::vector<int32_t> weights;
  size_t stride;
};

Weights weights_for(int from, int to, const Filter& filter) {
  const double scale = static_cast<double>(from) / to;
  const double filter_scale = std::max(scale, 1.0), support = filter.support * filter_scale;
  Weights out;
  out.stride = static_cast<size_t>(std::ceil(support)) * 2 + 1;
  out.weights.resize(out.stride * static_cast<size_t>(to));
  std::vector<double> exact(out.stride);
  for (int i = 0; i < to; ++i) {
    const double center = (i + 0.5) * scale, inverse = 1.0 / filter_scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int count = std::min(static_cast<int>(center + support + 0.5), from) - first;
    double sum = 0.0;
    for (int k = 0; k < count; ++k)
      sum += exact[static_cast<size_t>(k)] = filter.weight((k + first - center + 0.5) * inverse);
    for (int k = 0; k < count; ++k) {
      const double weight = exact[static_cast<size_t>(k)] / (sum != 0.0 ? sum : 1.0);
      out.weights[static_cast<size_t>(i) * out.stride + static_cast<size_t>(k)] =
          static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kFractionBits));
    }
    out.first.push_back(first);
    out.count.push_back(count);
  }
  return out;
}

uint8_t rounded(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }

constexpr int32_t kHalf = 1 << (kFractionBits - 1);
constexpr int64_t kRowsATime = 16;  // a thread's least share

Image resize_rows(const Image& image, int width, const Filter& filter) {
  const Weights all = weights_for(image.width, width, filter);
  Image out{width, image.height, std::vector<uint8_t>(size_t{3} * static_cast<size_t>(width) * image.height)};
  parallel_for(image.height, kRowsATime, [&](int64_t begin, int64_t end) {
    for (int y = static_cast<int>(begin); y < static_cast<int>(end); ++y) {
      uint8_t* to = out.row(y);
      for (int x = 0; x < width; ++x, to += 3) {
        const auto at = static_cast<size_t>(x);
        const uint8_t* from = image.row(y) + 3 * all.first[at];
        const int32_t* weights = all.weights.data() + at * all.stride;
        int32_t red = kHalf, green = kHalf, blue = kHalf;
        for (int k = 0; k < all.count[at]; ++k, from += 3) {
          red += from[0] * weights[k];
          green += from[1] * weights[k];
          blue += from[2] * weights[k];
        }
        to[0] = rounded(red);
        to[1] = rounded(green);
        to[2] = rounded(blue);
      }
    }
  });
  return out;
}

Image resize_columns(const Image& image, int height, const Filter& filter) {
  const Weights all = weights_for(image.height, height, filter);
  const size_t row_bytes = size_t{3} * static_cast<size_t>(image.width);
  Image out{image.width, height, std::vector<uint8_t>(row_bytes * static_cast<size_t>(height))};
  parallel_for(height, kRowsATime, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> sums(row_bytes);
    for (int y = static_cast<int>(begin); y < static_cast<int>(end); ++y) {
      const auto at = static_cast<size_t>(y);
      std::fill(sums.begin(), sums.end(), kHalf);
      for (int k = 0; k < all.count[at]; ++k) {
        const int32_t weight = all.weights[at * all.stride + static_cast<size_t>(k)];
        const uint8_t* from = image.row(all.first[at] + k);
        for (size_t i = 0; i < row_bytes; ++i) sums[i] += from[i] * weight;
      }
      uint8_t* to = out.row(y);
      for (size_t i = 0; i < row_bytes; ++i) to[i] = rounded(sums[i]);
    }
  });
  return out;
}

// Of each output position the input position that its middle falls on. The sum is Pillow's, rounding and all
// (Geometry.c, ImagingScaleAffine).
std::vector<int> nearest_positions(int from, int to) {
  const double step = static_cast<double>(from) / to;
  std::vector<int> positions;
  double at = step * 0.5;
  for (int i = 0; i < to; ++i, at += step) positions.push_back(std::min(static_cast<int>(at), from - 1));
  return positions;
}

Image resize_to_nearest(const Image& image, int width, int height) {
  const std::vector<int> columns = nearest_positions(image.width, width),
                         rows = nearest_positions(image.height, height);
  Image out{width, height, std::vector<uint8_t>(size_t{3} * static_cast<size_t>(width) * height)};
  uint8_t* to = out.rgb.data();
  for (const int y : rows)
    for (const int x : columns) to = std::copy_n(image.row(y) + 3 * x, 3, to);
  return out;
}

// Since Pillow 13, when the height shrinks much more than the width: it has less work then, and other roundings.
bool columns_first(const Image& image, int width, int height) {
  return height < image.height && image.height - height > 2 * (image.width - width);
}

}  // namespace

Image resize(const Image& image, int width, int height, Resampling resampling) {
  HEARTH_CHECK(width > 0 && height > 0);
  if (width == image.width && height == image.height) return image;
  if (resampling == Resampling::kNearest) return resize_to_nearest(image, width, height);
  const Filter filter = filter_of(resampling);
  if (width == image.width) return resize_columns(image, height, filter);
  if (height == image.height) return resize_rows(image, width, filter);
  if (columns_first(image, width, height)) return resize_rows(resize_columns(image, height, filter), width, filter);
  return resize_columns(resize_rows(image, width, filter), height, filter);
}

}  // namespace hearth
