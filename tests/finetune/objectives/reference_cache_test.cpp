#include "finetune/objectives/reference_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::HasSubstr;
using testing::Optional;

TokenizedExample pair_of(TokenId answer) {
  return {.input_ids = {1, 2, 1, answer}, .labels = {-100, 2, -100, answer}, .packed_lengths = {2, 2}};
}

class ReferenceCacheTest : public testing::Test {
 protected:
  test::TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_.path() / "reference" / "a.bin";
};

TEST_F(ReferenceCacheTest, AnotherProcessFindsWhatWasPut) {
  {
    ReferenceCache cache(path_);
    EXPECT_EQ(cache.find(pair_of(5)), std::nullopt);
    cache.put(pair_of(5), {-1.25, -1e-300});
    cache.put(pair_of(6), {-3, -4});
  }
  const ReferenceCache cache(path_);
  EXPECT_EQ(cache.problem(), "");
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_THAT(cache.find(pair_of(5)), Optional(AnswerSums{-1.25, -1e-300}));
  EXPECT_EQ(cache.find(pair_of(7)), std::nullopt);
}

TEST_F(ReferenceCacheTest, ExamplesThatDifferInAnyWayAreOthers) {
  const TokenizedExample example = pair_of(5);
  TokenizedExample labels = example, parts = example;
  labels.labels[1] = -100;
  parts.packed_lengths = {1, 3};
  EXPECT_NE(hash_of(example), hash_of(labels));
  EXPECT_NE(hash_of(example), hash_of(parts));
  EXPECT_NE(hash_of(example), hash_of(pair_of(6)));
  EXPECT_EQ(hash_of(example), hash_of(pair_of(5)));
}

TEST_F(ReferenceCacheTest, WhatAKilledProcessLeftIsComputedAgain) {
  {
    ReferenceCache cache(path_);
    cache.put(pair_of(5), {-1, -2});
    cache.put(pair_of(6), {-3, -4});
  }
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 7);
  {
    ReferenceCache cache(path_);
    EXPECT_EQ(cache.size(), 1u);
    cache.put(pair_of(6), {-3, -4});
  }
  EXPECT_THAT(ReferenceCache(path_).find(pair_of(6)), Optional(AnswerSums{-3, -4}));
}

TEST_F(ReferenceCacheTest, ADamagedRecordIsLeftOut) {
  {
    ReferenceCache cache(path_);
    cache.put(pair_of(5), {-1, -2});
    cache.put(pair_of(6), {-3, -4});
  }
  std::string bytes = read_file(path_);
  bytes[8 + 12] ^= 1;  // of the first one's first sum
  write_file_atomic(path_, bytes);
  const ReferenceCache cache(path_);
  EXPECT_EQ(cache.find(pair_of(5)), std::nullopt);
  EXPECT_THAT(cache.find(pair_of(6)), Optional(AnswerSums{-3, -4}));
}

TEST_F(ReferenceCacheTest, WithoutADiskTheRunGoesOn) {
  std::filesystem::create_directories(path_.parent_path());
  write_file_atomic(path_, "something else");
  ReferenceCache cache(path_);
  EXPECT_THAT(cache.problem(), HasSubstr("is no file of reference log-probabilities: remove it"));
  cache.put(pair_of(5), {-1, -2});
  EXPECT_THAT(cache.find(pair_of(5)), Optional(AnswerSums{-1, -2}));
  EXPECT_EQ(read_file(path_), "something else");
  EXPECT_NE(ReferenceCache("/proc/none/a.bin").problem(), "");
}

}  // namespace
}  // namespace hearth
