#include "runtime/io/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "tests/support/image_builder.h"

namespace hearth {
namespace {

using test::as_image;
using test::GgufBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(const std::string& bytes) {
  try {
    GgufFile::parse(as_image(bytes), "m.gguf");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Gguf, ReadsEveryType) {
  const std::string bytes = test::sample_gguf().bytes();
  const auto gguf = GgufFile::parse(as_image(bytes), "m.gguf");
  EXPECT_EQ(gguf->string("general.architecture"), "llama");
  EXPECT_EQ(gguf->integer("u8"), 200);
  EXPECT_EQ(gguf->integer("i8"), -5);
  EXPECT_EQ(gguf->integer("u16"), 60000);
  EXPECT_EQ(gguf->integer("i16"), -300);
  EXPECT_EQ(gguf->integer("u32"), 4000000000);
  EXPECT_EQ(gguf->integer("i32"), -7);
  EXPECT_EQ(gguf->integer("u64"), int64_t{1} << 40);
  EXPECT_EQ(gguf->integer("i64"), -9);
  EXPECT_EQ(gguf->number("f32"), 0.5);
  EXPECT_EQ(gguf->number("f64"), 0.25);
  EXPECT_EQ(gguf->number("u8"), 200.0);
  EXPECT_EQ(gguf->boolean("bool"), true);
  EXPECT_THAT(gguf->strings("texts"), ElementsAre("a", "", "ccc"));
  EXPECT_THAT(gguf->integers("ints"), ElementsAre(3, -4));
  EXPECT_THAT(gguf->numbers("floats"), ElementsAre(1.5f, -2.0f));
  EXPECT_TRUE(gguf->is_array("texts"));
  EXPECT_FALSE(gguf->is_array("u8"));
}

TEST(Gguf, AbsentKeysGiveNothing) {
  const std::string bytes = test::sample_gguf().bytes();
  const auto gguf = GgufFile::parse(as_image(bytes), "m.gguf");
  EXPECT_FALSE(gguf->has("x"));
  EXPECT_EQ(gguf->string("x"), std::nullopt);
  EXPECT_EQ(gguf->integer("x"), std::nullopt);
  EXPECT_EQ(gguf->boolean("x"), std::nullopt);
  EXPECT_TRUE(gguf->strings("x").empty());
  EXPECT_EQ(gguf->tensor("x"), nullptr);
}

TEST(Gguf, KeysOfAnotherTypeAreErrorsWithBothTypes) {
  const std::string bytes = test::sample_gguf().bytes();
  const auto gguf = GgufFile::parse(as_image(bytes), "m.gguf");
  try {
    gguf->integer("texts");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kDataCorruption);
    EXPECT_STREQ(error.what(), "m.gguf: metadata 'texts' is an array of string, expected an integer");
  }
  EXPECT_THROW(gguf->string("u8"), Error);
  EXPECT_THROW(gguf->integer("f32"), Error);
  EXPECT_THROW(gguf->number("bool"), Error);
  EXPECT_THROW(gguf->boolean("u8"), Error);
  EXPECT_THROW(gguf->strings("ints"), Error);
  EXPECT_THROW(gguf->integers("texts"), Error);
  EXPECT_THROW(gguf->numbers("f32"), Error);
}

TEST(Gguf, TensorsPointIntoTheFile) {
  const std::string bytes = test::sample_gguf().bytes();
  const auto gguf = GgufFile::parse(as_image(bytes), "m.gguf");
  ASSERT_EQ(gguf->tensors().size(), 3u);
  const GgufFile::Tensor* up = gguf->tensor("blk.0.ffn_up.weight");
  ASSERT_NE(up, nullptr);
  EXPECT_EQ(up->format, Format::kQ8_0);
  EXPECT_EQ(up->rank, 2);
  EXPECT_THAT(up->dims, ElementsAre(32, 2, 1, 1));
  EXPECT_EQ(up->bytes.size(), 68u);
  EXPECT_EQ(up->bytes[0], std::byte{32});  // the sample's data counts from 0
}

TEST(Gguf, ReadsVersionTwo) {
  const std::string bytes = GgufBuilder(0, 1, 2).key("a", 4).put<uint32_t>(7).bytes();
  EXPECT_EQ(GgufFile::parse(as_image(bytes), "m.gguf")->integer("a"), 7);
}

TEST(Gguf, ObeysTheAlignmentOfTheFile) {
  const auto with = [](uint32_t alignment, size_t padding) {
    return GgufBuilder(2, 1)
        .key("general.alignment", 4)
        .put(alignment)
        .tensor("a", {1}, 0, 0)
        .tensor("b", {1}, 0, 64)
        .data(68, padding)
        .bytes();
  };
  const std::string good = with(64, 64);
  EXPECT_EQ(GgufFile::parse(as_image(good), "m.gguf")->tensor("b")->bytes[0], std::byte{64});
  for (const uint32_t bad : {0u, 3u, 48u, 1u << 20})
    EXPECT_THAT(refusal(with(bad, 64)), HasSubstr("must be a power of two")) << bad;
  EXPECT_THAT(refusal(with(128, 128)), HasSubstr("not a multiple of the alignment 128"));
}

TEST(Gguf, RefusesOtherFilesAndVersions) {
  EXPECT_THAT(refusal(""), HasSubstr("not a GGUF file"));
  EXPECT_THAT(refusal("PK\3\4........"), HasSubstr("not a GGUF file"));
  EXPECT_THAT(refusal(GgufBuilder(0, 0, 1).bytes()), HasSubstr("GGUF version 1"));
  EXPECT_THAT(refusal(GgufBuilder(0, 0, 3u << 24).bytes()), HasSubstr("big-endian"));
}

TEST(Gguf, NamesTensorAndTypeOfUnknownFormats) {
  EXPECT_THAT(refusal(GgufBuilder(1, 0).tensor("blk.0.w", {256}, 23, 0).data(136).bytes()),
              HasSubstr("tensor 'blk.0.w' has type IQ4_XS"));
  EXPECT_THAT(refusal(GgufBuilder(1, 0).tensor("blk.0.w", {256}, 99, 0).data(136).bytes()),
              HasSubstr("tensor 'blk.0.w' has type number 99"));
}

TEST(Gguf, RefusesDuplicates) {
  EXPECT_THAT(refusal(GgufBuilder(0, 2).key("a", 0).put<uint8_t>(1).key("a", 0).put<uint8_t>(1).bytes()),
              HasSubstr("'a' occurs twice"));
  EXPECT_THAT(refusal(GgufBuilder(2, 0).tensor("a", {1}, 0, 0).tensor("a", {1}, 0, 32).data(64).bytes()),
              HasSubstr("two tensors"));
}

TEST(Gguf, RefusesSizesThatDoNotFit) {
  const auto one = [](std::vector<uint64_t> dims, uint32_t type, uint64_t offset) {
    return refusal(GgufBuilder(1, 0).tensor("a", std::move(dims), type, offset).data(64).bytes());
  };
  EXPECT_EQ(one({16}, 0, 0), "");
  EXPECT_THAT(one({17}, 0, 0), HasSubstr("takes 68 bytes at offset 0, the file has 64"));
  EXPECT_THAT(one({1}, 0, 64), HasSubstr("takes 4 bytes at offset 64"));
  EXPECT_THAT(one({1}, 0, ~uint64_t{31}), HasSubstr("offset 18446744073709551584"));
  EXPECT_THAT(one({uint64_t{1} << 62, 4}, 0, 0), HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(one({uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0), HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(one({0}, 0, 0), HasSubstr("a dimension of 0"));
  EXPECT_THAT(one({~uint64_t{0}}, 0, 0), HasSubstr("a dimension of -1"));
  EXPECT_THAT(one({33}, 8, 0), HasSubstr("rows of 33 values, Q8_0 needs a multiple of 32"));
  EXPECT_THAT(one({1, 1, 1, 1, 1}, 0, 0), HasSubstr("5 dimensions"));
}

TEST(Gguf, RefusesOverlap) {
  EXPECT_THAT(refusal(GgufBuilder(2, 0).tensor("a", {9}, 0, 0).tensor("b", {1}, 0, 32).data(64).bytes()),
              HasSubstr("'a' and 'b' overlap"));
}

TEST(Gguf, HugeCountsAreRefusedBeforeTheyAreUsed) {
  EXPECT_THAT(refusal(GgufBuilder(~uint64_t{0}, 0).bytes()), HasSubstr("download it again"));
  EXPECT_THAT(refusal(GgufBuilder(0, ~uint64_t{0}).bytes()), HasSubstr("download it again"));
  EXPECT_THAT(refusal(GgufBuilder(0, 1).array("a", 8, uint64_t{1} << 60).bytes()),
              HasSubstr("claims 1152921504606846976 strings"));
  EXPECT_THAT(refusal(GgufBuilder(0, 1).array("a", 10, uint64_t{1} << 61).bytes()), HasSubstr("download it again"));
}

TEST(Gguf, NamesFromTheFileStayOnOneLine) {
  const std::string message = refusal(GgufBuilder(1, 0).tensor("a\nb\xff", {1}, 99, 0).data(4).bytes());
  EXPECT_THAT(message, HasSubstr("a\\x0ab\\xff"));
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST(Gguf, MissingFileIsNotFound) {
  try {
    GgufFile::open("/nonexistent.gguf");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace hearth
