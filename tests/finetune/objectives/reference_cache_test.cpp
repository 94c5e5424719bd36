#include "finetune/objectives/reference_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::HasSubstr;
using testing::Optional;

class ReferenceCacheTest : public testing::Test {
 protected:
  test::TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_.path() / "reference" / "a.bin";
};

TEST_F(ReferenceCacheTest, AnotherProcessFindsWhatWasPut) {
  {
    ReferenceCache cache(path_);
    EXPECT_EQ(cache.find(5), std::nullopt);
    cache.put(5, -1.25);
    cache.put(6, -1e-300);
  }
  const ReferenceCache cache(path_);
  EXPECT_EQ(cache.problem(), "");
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_THAT(cache.find(5), Optional(-1.25));
  EXPECT_THAT(cache.find(6), Optional(-1e-300));
  EXPECT_EQ(cache.find(7), std::nullopt);
}

TEST_F(ReferenceCacheTest, ProcessesThatRunTogetherFindEachOthers) {
  ReferenceCache one(path_), two(path_);
  one.put(5, -1);
  two.put(6, -2);
  EXPECT_EQ(one.find(6), std::nullopt);
  one.read_new();
  EXPECT_THAT(one.find(6), Optional(-2.0));
  EXPECT_EQ(ReferenceCache(path_).size(), 2u);
}

TEST_F(ReferenceCacheTest, AnswersThatDifferInAnyWayAreOthers) {
  const TokenizedExample pair{.input_ids = {1, 2, 1, 3}, .labels = {-100, 2, -100, 3}, .packed_lengths = {2, 2}};
  TokenizedExample labels = pair, parts = pair, other = pair;
  labels.labels[1] = -100;
  parts.packed_lengths = {1, 3};
  other.input_ids[3] = other.labels[3] = 4;
  EXPECT_NE(hash_of_answer(pair, 0), hash_of_answer(pair, 1));
  EXPECT_NE(hash_of_answer(pair, 0), hash_of_answer(labels, 0));
  EXPECT_NE(hash_of_answer(pair, 1), hash_of_answer(parts, 1));
  EXPECT_NE(hash_of_answer(pair, 1), hash_of_answer(other, 1));
  EXPECT_EQ(hash_of_answer(pair, 0), hash_of_answer(other, 0));  // whatever it is compared with
}

TEST_F(ReferenceCacheTest, WhatAKilledProcessLeftIsComputedAgain) {
  {
    ReferenceCache cache(path_);
    cache.put(5, -1);
    cache.put(6, -2);
  }
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 7);
  {
    ReferenceCache cache(path_);
    EXPECT_EQ(cache.size(), 1u);
    cache.put(6, -2);
  }
  EXPECT_THAT(ReferenceCache(path_).find(6), Optional(-2.0));
}

TEST_F(ReferenceCacheTest, ADamagedRecordIsLeftOut) {
  {
    ReferenceCache cache(path_);
    cache.put(5, -1);
    cache.put(6, -2);
  }
  std::string bytes = read_file(path_);
  bytes[8 + 12] ^= 1;  // of the first one's sum
  write_file_atomic(path_, bytes);
  const ReferenceCache cache(path_);
  EXPECT_EQ(cache.find(5), std::nullopt);
  EXPECT_THAT(cache.find(6), Optional(-2.0));
}

TEST_F(ReferenceCacheTest, ClearedItIsEmptyOnDiskToo) {
  ReferenceCache cache(path_);
  cache.put(5, -1);
  cache.clear();
  EXPECT_EQ(cache.find(5), std::nullopt);
  cache.put(6, -2);
  const ReferenceCache again(path_);
  EXPECT_EQ(again.size(), 1u);
  EXPECT_THAT(again.find(6), Optional(-2.0));
}

TEST_F(ReferenceCacheTest, WithoutADiskTheRunGoesOn) {
  std::filesystem::create_directories(path_.parent_path());
  write_file_atomic(path_, "something else");
  ReferenceCache cache(path_);
  EXPECT_THAT(cache.problem(), HasSubstr("is no file of reference log-probabilities: remove it"));
  cache.put(5, -1);
  EXPECT_THAT(cache.find(5), Optional(-1.0));
  EXPECT_EQ(read_file(path_), "something else");
  EXPECT_THAT(ReferenceCache("/proc/none/a.bin").problem(), HasSubstr("/proc/none"));
}

}  // namespace
}  // namespace hearth
