// Hundreds of spoiled GGUF, safetensors and torch images: each is read, or refused by Error in one line; what is read
// can be read in full (under ASan).
#include <gtest/gtest.h>

#include "runtime/base/random.h"
#include "tests/support/image_builder.h"
#include "tests/support/read_everything.h"
#include "tests/support/torch_image.h"

namespace hearth {
namespace {

constexpr int kBitFlips = 300;

// True when the image was refused.
template <class File>
bool read_or_refuse(const std::string& image, const std::string& what) {
  // A buffer of exactly this size, so that reading one byte too far is seen.
  const std::vector<std::byte> exact(test::as_image(image).begin(), test::as_image(image).end());
  try {
    test::read_everything(*File::parse(exact, "spoiled"));
    return false;
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(error.code(), ErrorCode::kInternal) << what << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << what << ": " << message;
    EXPECT_EQ(message.find("spoiled"), 0u) << what << ": does not begin with the file: " << message;
    EXPECT_LT(message.size(), 400u) << what;
    return true;
  }
}

template <class File>
void flip_bits(const std::string& image, size_t header) {
  for (int seed = 0; seed < kBitFlips; ++seed) {
    Random random(seed);
    std::string spoiled = image;
    for (uint64_t flips = 1 + random.below(3); flips > 0; --flips)
      spoiled[random.below(header)] ^= static_cast<char>(1 << random.below(8));
    read_or_refuse<File>(spoiled, "bit flips, seed " + std::to_string(seed));
  }
}

TEST(MalformedGguf, TruncatedAtEveryByte) {
  const std::string image = test::sample_gguf().bytes();
  for (size_t size = 0; size < image.size(); ++size)
    EXPECT_TRUE(read_or_refuse<GgufFile>(image.substr(0, size), "cut at " + std::to_string(size))) << size;
  EXPECT_FALSE(read_or_refuse<GgufFile>(image, "whole"));
}

TEST(MalformedGguf, EveryFieldWithForeignValues) {
  const test::GgufBuilder sample = test::sample_gguf();
  const std::string& image = sample.bytes();
  for (const test::GgufBuilder::Place& place : sample.places()) {
    for (const uint64_t value :
         {uint64_t{0}, uint64_t{1}, uint64_t{5}, uint64_t{9}, uint64_t{13}, uint64_t{31}, uint64_t{33}, uint64_t{96},
          uint64_t{image.size()}, uint64_t{1} << 31, uint64_t{1} << 32, (uint64_t{1} << 61) + 1, uint64_t{1} << 62,
          uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{31}}) {
      std::string spoiled = image;
      std::memcpy(spoiled.data() + place.at, &value, place.bytes);
      read_or_refuse<GgufFile>(spoiled, "value " + std::to_string(value) + " at " + std::to_string(place.at));
    }
  }
}

TEST(MalformedGguf, HugeCountsAreRefused) {
  const test::GgufBuilder sample = test::sample_gguf();
  for (const test::GgufBuilder::Place& place : sample.places()) {
    if (place.field != test::GgufBuilder::Field::kCount) continue;
    for (const uint64_t value : {uint64_t{1} << 40, uint64_t{1} << 61, uint64_t{1} << 63, ~uint64_t{0}}) {
      std::string spoiled = sample.bytes();
      std::memcpy(spoiled.data() + place.at, &value, sizeof(value));
      EXPECT_TRUE(read_or_refuse<GgufFile>(spoiled, "count at " + std::to_string(place.at)));
    }
  }
}

TEST(MalformedGguf, BitFlips) {
  flip_bits<GgufFile>(test::sample_gguf().bytes(), test::sample_gguf().places().back().at + 8);
}

constexpr const char* kHeader =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]}})";

TEST(MalformedSafetensors, TruncatedAtEveryByte) {
  const std::string image = test::safetensors_image(kHeader, 20);
  for (size_t size = 0; size < image.size(); ++size)
    EXPECT_TRUE(read_or_refuse<SafetensorsFile>(image.substr(0, size), "cut at " + std::to_string(size))) << size;
  EXPECT_FALSE(read_or_refuse<SafetensorsFile>(image, "whole"));
}

TEST(MalformedSafetensors, HeaderLengths) {
  const std::string image = test::safetensors_image(kHeader, 20);
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{image.size()}, uint64_t{100'000'000},
                                uint64_t{100'000'001}, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{7}}) {
    std::string spoiled = image;
    std::memcpy(spoiled.data(), &length, sizeof(length));
    EXPECT_TRUE(read_or_refuse<SafetensorsFile>(spoiled, "length " + std::to_string(length)));
  }
}

TEST(MalformedSafetensors, EveryNumberWithForeignValues) {
  const std::string header = kHeader;
  for (size_t at = 0; at < header.size(); ++at) {
    if (!std::isdigit(static_cast<unsigned char>(header[at])) || header[at - 1] == 'F') continue;
    for (const char* value : {"-1", "1.5", "1e3", "4611686018427387904", "18446744073709551615", "18446744073709551616",
                              "null", "\"x\"", "[1]", "{}", ""}) {
      std::string spoiled = header;
      spoiled.replace(at, 1, value);
      read_or_refuse<SafetensorsFile>(test::safetensors_image(spoiled, 20),
                                      std::string(value) + " at " + std::to_string(at));
    }
  }
}

TEST(MalformedSafetensors, DeepNestingIsRefused) {
  for (const char* open : {"[", "{\"a\":"}) {
    std::string header = R"({"a":)";
    for (int i = 0; i < 100'000; ++i) header += open;
    EXPECT_TRUE(read_or_refuse<SafetensorsFile>(test::safetensors_image(header, 0), open));
  }
}

TEST(MalformedSafetensors, BitFlips) {
  flip_bits<SafetensorsFile>(test::safetensors_image(kHeader, 20), sizeof(uint64_t) + std::string_view(kHeader).size());
}

TEST(MalformedTorchBin, TruncatedAtEveryByte) {
  const std::string image = test::torch_image::sample();
  for (size_t size = 0; size < image.size(); ++size)
    EXPECT_TRUE(read_or_refuse<TorchBinFile>(image.substr(0, size), "cut at " + std::to_string(size))) << size;
  EXPECT_FALSE(read_or_refuse<TorchBinFile>(image, "whole"));
}

TEST(MalformedTorchBin, EveryPlaceWithForeignValues) {
  const std::string image = test::torch_image::sample();
  for (size_t at = 0; at < image.size(); ++at) {
    for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{image.size()}, uint64_t{1} << 63, ~uint64_t{0}}) {
      for (const size_t bytes : {1, 2, 4, 8}) {
        std::string spoiled = image;
        std::memcpy(spoiled.data() + at, &value, std::min(bytes, image.size() - at));
        read_or_refuse<TorchBinFile>(spoiled, fmt::format("{} bytes of {} at {}", bytes, value, at));
      }
    }
  }
}

TEST(MalformedTorchBin, BitFlips) {
  const std::string image = test::torch_image::sample();
  flip_bits<TorchBinFile>(image, image.size());
}

}  // namespace
}  // namespace hearth
