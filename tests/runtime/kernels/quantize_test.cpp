// Quantised values are as near as ggml's own quantisers bring them: tests/golden/formats/quantized.json, which
// tests/golden/make_quantized.py makes.
#include "runtime/kernels/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "tests/runtime/kernels/random_weight.h"

namespace hearth {
namespace {

constexpr int kRows = 64, kColumns = 1024;

std::vector<float> golden_values() {
  uint64_t state = 1;
  std::vector<float> values(kRows * kColumns);
  for (int i = 0; i < kRows * kColumns; ++i) {
    int total = 0;
    for (int k = 0; k < 3; ++k) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      total += static_cast<int>(state >> 48) - 32768;
    }
    double value = total / 1048576.0;
    if (i / kColumns % 4 == 3 && i % 37 == 0) value *= 6;
    values[i] = static_cast<float>(value);
  }
  return values;
}

std::vector<std::byte> quantized(Format format, const std::vector<float>& values) {
  std::vector<std::byte> blocks(row_bytes(format, static_cast<int64_t>(values.size())));
  quantize(format, values.data(), static_cast<int64_t>(values.size()), blocks.data());
  return blocks;
}

std::vector<float> there_and_back(Format format, const std::vector<float>& values) {
  std::vector<float> back(values.size());
  dequantize(format, quantized(format, values).data(), static_cast<int64_t>(values.size()), back.data());
  return back;
}

double root_mean_square(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

// Where ggml does not search, searching must show.
TEST(Quantize, IsNoFurtherFromTheValuesThanTheReference) {
  const nlohmann::json reference = nlohmann::json::parse(read_file("tests/golden/formats/quantized.json"));
  const std::vector<float> values = golden_values();
  for (const Format format : kAllFormats) {
    if (format == Format::kF32 || !can_quantize(format)) continue;
    const std::string name(info(format).name);
    const double share = root_mean_square(values, there_and_back(format, values)) / reference[name].get<double>();
    EXPECT_LT(share, format == Format::kQ4_0 || format == Format::kQ4_1 ? 0.97 : 1.0001) << name;
  }
}

TEST(Quantize, StoredValuesSurviveTheRoundTripThroughF32) {
  for (const Format format : {Format::kF32, Format::kF16, Format::kBF16, Format::kQ8_0}) {
    const std::vector<float> once = there_and_back(format, golden_values());
    const std::vector<float> twice = there_and_back(format, once);
    EXPECT_LT(root_mean_square(once, twice), 1e-9) << info(format).name;
    if (format == Format::kQ8_0) continue;  // whose scales round again
    EXPECT_EQ(quantized(format, once), quantized(format, twice)) << info(format).name;
  }
}

// All alike, all zero, one sign, one large one: where scales are 0 or a search has nothing to choose.
TEST(Quantize, HoldsTheEdges) {
  std::vector<std::vector<float>> cases;
  for (const float value : {0.f, 1.f, -1.f, 1e-30f, 6e4f}) cases.emplace_back(256, value);
  cases.emplace_back(256, 0.f).at(7) = -3;
  cases.emplace_back(256, 5.f).at(255) = 5.5f;
  for (const Format format : kAllFormats) {
    if (!can_quantize(format)) continue;
    for (const std::vector<float>& values : cases) {
      const std::vector<float> back = there_and_back(format, values);
      float largest = 0;
      for (const float value : values) largest = std::max(largest, std::fabs(value));
      for (size_t i = 0; i < values.size(); ++i)
        EXPECT_NEAR(back[i], values[i], 0.05 * largest + 1e-7)
            << info(format).name << " of " << values[0] << " at " << i;
    }
  }
}

}  // namespace
}  // namespace hearth
