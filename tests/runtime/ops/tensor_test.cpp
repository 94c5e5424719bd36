#include "runtime/tensor.h"

#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

TEST(Shape, CountsAndPrints) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.size(), 24u);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape.to_string(), "[2, 3, 4]");
  EXPECT_EQ(Shape().size(), 1u);
  EXPECT_EQ(Shape().to_string(), "[]");
  EXPECT_EQ((Shape{0, 5}).size(), 0u);
}

TEST(Shape, RefusesWhatCannotBeCounted) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  EXPECT_THROW((Shape{-1, 2}), Error);
  EXPECT_THROW((Shape{kHuge, 2}), Error);
  EXPECT_THROW((Shape{1, 2, 3, 4, 5}), Error);
}

TEST(Tensor, CopiesShareTheBuffer) {
  Tensor a = Tensor::from({2, 2}, {1, 2, 3, 4});
  const Tensor b = a;
  a.row(1)[0] = 9;
  EXPECT_EQ(b.data()[2], 9);
  EXPECT_EQ(b.rows(), 2);
}

TEST(Tensor, OutlivesTheOneItWasCopiedFrom) {
  Tensor copy;
  {
    const Tensor a = Tensor::from({3}, {1, 2, 3});
    copy = a;
  }
  const Tensor other({3});  // must not get the same buffer
  EXPECT_NE(other.data(), copy.data());
  EXPECT_EQ(copy.data()[2], 3);
}

TEST(Tensor, BuffersAreAlignedAndHoldWhatTheyPromise) {
  for (int64_t n = 0; n < 3000; n += 37) {
    Tensor x({n});
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.data()) % 64, 0u);
    std::memset(x.data(), 1, x.size() * sizeof(float));
  }
}

TEST(Tensor, LiveTensorsOfManyThreadsNeverShareABuffer) {
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      std::vector<Tensor> live(16);
      for (int i = 0; i < 2000; ++i) {
        Tensor& slot = live[i % live.size()];
        if (slot.defined()) {
          EXPECT_EQ(slot.data()[slot.size() - 1], static_cast<float>(t));
        }
        slot = Tensor({1 + i * 7 % 500});
        std::fill_n(slot.data(), slot.size(), static_cast<float>(t));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Whether the pool gave a buffer back or not, what was written to its tensor stays, and nobody else has it.
TEST(Tensor, BuffersOfOtherSizesMakeRoom) {
  keep_tensor_buffers(size_t{1} << 20);
  const Tensor kept = Tensor::zeros({1000});
  for (int64_t size = 1; size < 300'000; size = size * 5 / 3 + 1) {
    Tensor a = Tensor::zeros({size});
    const Tensor b = Tensor::zeros({size});
    a.data()[size - 1] = 1;
    EXPECT_EQ(b.data()[size - 1], 0) << size;
    EXPECT_NE(a.data(), b.data());
  }
  EXPECT_EQ(kept.data()[999], 0);
  keep_tensor_buffers(size_t{64} << 20);
}

TEST(Tensor, RefusesAWrongNumberOfValues) { EXPECT_THROW(Tensor::from({2}, {1, 2, 3}), Error); }

}  // namespace
}  // namespace hearth
