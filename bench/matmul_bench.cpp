// matmul on the shapes of the default model: multiply-adds a second (items) and bytes of weights a second (bytes).
// Weights rotate over enough copies to come from memory, as they do in a model; `read` is the bandwidth to compare
// decode with.
#include <algorithm>
#include <cstring>
#include <vector>

#include <benchmark/benchmark.h>

#include "runtime/base/parallel.h"
#include "runtime/base/random.h"
#include "runtime/kernels/matmul.h"

namespace hearth::kernels {
namespace {

constexpr size_t kBeyondCaches = 256 << 20;

std::vector<float> random_values(int64_t n) {
  Random random(1);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = random.normal();
  return values;
}

struct Shape {
  Format format;
  int64_t out, in;
};
const Shape kShapes[] = {{Format::kQ4_1, 1536, 576},  {Format::kQ4_1, 576, 1536},  {Format::kQ4_1, 576, 576},
                         {Format::kQ8_0, 49152, 576}, {Format::kQ6_K, 2048, 2048}, {Format::kBF16, 1536, 576},
                         {Format::kF16, 1536, 576}};

void packed(benchmark::State& state) {
  const Shape shape = kShapes[state.range(0)];
  const int64_t rows = state.range(1);
  const std::vector<std::byte> blocks(static_cast<size_t>(shape.out) * row_bytes(shape.format, shape.in));
  std::vector<std::unique_ptr<PackedWeight>> weights;
  size_t bytes = 0;
  while (bytes < (rows > 64 ? 1 : kBeyondCaches)) {
    weights.push_back(pack(shape.format, shape.out, shape.in, blocks.data()));
    bytes += weights.back()->panel_bytes * static_cast<size_t>(weights.back()->panels());
  }
  const std::vector<float> x = random_values(rows * shape.in);
  std::vector<float> y(static_cast<size_t>(rows * shape.out));
  size_t next = 0;
  for (auto _ : state) {
    const Product product = {{shape.format, shape.out, shape.in, nullptr, weights[next].get()}, nullptr, y.data()};
    matmul(x.data(), rows, {&product, 1});
    next = (next + 1) % weights.size();
  }
  state.SetItemsProcessed(state.iterations() * rows * shape.out * shape.in);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes / weights.size()));
  state.SetLabel(std::string(info(shape.format).name) + " " + std::to_string(shape.out) + "x" +
                 std::to_string(shape.in));
}
BENCHMARK(packed)->ArgsProduct({{0, 1, 2, 3, 4}, {1, 4, 8, 16, 64, 512}})->UseRealTime();

void exact(benchmark::State& state) {
  const Shape shape = kShapes[state.range(0)];
  const int64_t rows = state.range(1);
  const std::vector<std::byte> blocks(static_cast<size_t>(shape.out) * row_bytes(shape.format, shape.in));
  const std::vector<float> x = random_values(rows * shape.in);
  std::vector<float> y(static_cast<size_t>(rows * shape.out));
  const Product product = {{shape.format, shape.out, shape.in, blocks.data(), nullptr}, nullptr, y.data()};
  for (auto _ : state) matmul(x.data(), rows, {&product, 1});
  state.SetItemsProcessed(state.iterations() * rows * shape.out * shape.in);
}
BENCHMARK(exact)->ArgsProduct({{0, 1, 5, 6}, {1, 64, 512, 1024}})->MeasureProcessCPUTime()->UseRealTime();

void backward(benchmark::State& state) {
  const Shape shape = kShapes[state.range(0)];
  const int64_t rows = state.range(1);
  const std::vector<std::byte> blocks(static_cast<size_t>(shape.out) * row_bytes(shape.format, shape.in));
  const std::vector<float> dy = random_values(rows * shape.out);
  std::vector<float> dx(static_cast<size_t>(rows * shape.in));
  const WeightView weight = {shape.format, shape.out, shape.in, blocks.data(), nullptr};
  for (auto _ : state) matmul_backward(dy.data(), rows, weight, dx.data());
  state.SetItemsProcessed(state.iterations() * rows * shape.out * shape.in);
}
BENCHMARK(backward)->ArgsProduct({{0, 1}, {64, 512, 1024}})->MeasureProcessCPUTime()->UseRealTime();

// Products with a weight in bf16, forward and backward.
void bf16(benchmark::State& state) {
  const Shape shape = kShapes[state.range(0)];
  const int64_t rows = state.range(1);
  const bool forward = state.range(2) == 0;
  const std::vector<std::byte> blocks(static_cast<size_t>(shape.out) * row_bytes(shape.format, shape.in));
  const std::unique_ptr<PackedWeight> packed = pack_bf16(shape.format, shape.out, shape.in, blocks.data());
  std::vector<float> x = random_values(rows * shape.in), y = random_values(rows * shape.out);
  const Product product = {{shape.format, shape.out, shape.in, blocks.data(), packed.get()}, nullptr, y.data()};
  for (auto _ : state) {
    if (forward) {
      matmul(x.data(), rows, {&product, 1});
    } else {
      matmul_backward(y.data(), rows, product.weight, x.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * rows * shape.out * shape.in);
}
BENCHMARK(bf16)->ArgsProduct({{0, 1, 2}, {64, 1024}, {0, 1}})->MeasureProcessCPUTime()->UseRealTime();

void read(benchmark::State& state) {
  const std::vector<uint64_t> words(kBeyondCaches / sizeof(uint64_t), 1);
  std::vector<uint64_t> sums(static_cast<size_t>(num_threads()) * 8);
  for (auto _ : state) {
    parallel_for(static_cast<int64_t>(words.size()), 1, [&](int64_t begin, int64_t end) {
      uint64_t sum[8] = {};
      for (int64_t i = begin; i + 8 <= end; i += 8) {
        for (int k = 0; k < 8; ++k) sum[k] += words[static_cast<size_t>(i + k)];
      }
      benchmark::DoNotOptimize(sum);
    });
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kBeyondCaches));
}
BENCHMARK(read)->UseRealTime();

}  // namespace
}  // namespace hearth::kernels
