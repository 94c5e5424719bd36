// Attention on the default model's shape, 30 layers at a time: prefill of a prompt and decode steps after a context;
// and a layer of Qwen2-VL's and of CLIP's vision tower.
#include <cmath>
#include <vector>

#include <benchmark/benchmark.h>

#include "runtime/base/random.h"
#include "runtime/kernels/attention.h"

namespace hearth::kernels {
namespace {

constexpr int kLayers = 30, kBlock = 16;
constexpr AttentionShape kShape = {9, 3, 64, 0.125f};

struct Layers {
  Layers(int sequences, int tokens) : blocks((tokens + kBlock - 1) / kBlock * sequences) {
    const size_t head = size_t{kBlock} * kShape.head_dim * 2, half = head * kShape.num_kv_heads;
    bytes.resize(kLayers * blocks * 2 * half);
    for (int i = 0; i < kLayers; ++i) {
      std::byte* keys = bytes.data() + i * blocks * 2 * half;
      views.push_back({keys, keys + half, 2 * half, head, true});
    }
    for (int b = 0; b < blocks; ++b) table.push_back(b);
  }
  int blocks;
  std::vector<std::byte> bytes;
  std::vector<CacheView> views;
  std::vector<int32_t> table;
};

std::vector<float> random_rows(int64_t rows, int heads) {
  Random random(1);
  std::vector<float> values(rows * heads * kShape.head_dim);
  for (float& v : values) v = random.normal();
  return values;
}

void run(benchmark::State& state, int sequences, int context, int rows, int window = 0) {
  AttentionShape shape = kShape;
  shape.window = window;
  Layers layers(sequences, context + rows);
  const int per_sequence = layers.blocks / sequences;
  const int64_t total = int64_t{sequences} * (context + rows);
  const std::vector<float> q = random_rows(total, 9), k = random_rows(total, 3), v = random_rows(total, 3);
  std::vector<float> y(q.size());
  const auto segments_of = [&](int past, int count) {
    std::vector<AttentionSegment> segments;
    for (int s = 0; s < sequences; ++s)
      segments.push_back({s * count, (s + 1) * count, past, layers.table.data() + s * per_sequence});
    return segments;
  };
  const auto step = [&](const std::vector<AttentionSegment>& segments) {
    for (const CacheView& view : layers.views) {
      append(shape, k.data(), v.data(), segments, view);
      attend_cached(shape, q.data(), segments, view, y.data());
    }
  };
  if (context > 0) step(segments_of(0, context));
  const std::vector<AttentionSegment> segments = segments_of(context, rows);
  for (auto _ : state) step(segments);
}

void prefill(benchmark::State& state) { run(state, 1, 0, static_cast<int>(state.range(0))); }
void prefill_in_window(benchmark::State& state) {
  run(state, 1, 0, static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
}
void decode(benchmark::State& state) {
  run(state, static_cast<int>(state.range(0)), static_cast<int>(state.range(1)), 1);
}
BENCHMARK(prefill)
    ->Arg(128)
    ->Arg(512)
    ->Arg(2048)
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK(decode)
    ->Args({1, 128})
    ->Args({1, 512})
    ->Args({1, 2048})
    ->Args({16, 192})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

BENCHMARK(prefill_in_window)->Args({2048, 512})->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
void decode_in_window(benchmark::State& state) {
  run(state, 1, static_cast<int>(state.range(0)), 1, static_cast<int>(state.range(1)));
}
BENCHMARK(decode_in_window)->Args({2048, 512})->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();

void training(benchmark::State& state) {
  const int64_t rows = state.range(0);
  const std::vector<float> q = random_rows(rows, 9), k = random_rows(rows, 3), v = random_rows(rows, 3);
  std::vector<float> y(q.size()), dq(q.size()), dk(k.size()), dv(v.size()), log_sums(rows * 9);
  std::vector<AttentionSegment> segments;
  for (int64_t begin = 0; begin < rows; begin += 256) segments.push_back({begin, begin + 256, 0, nullptr});
  for (auto _ : state) {
    for (int i = 0; i < kLayers; ++i) {
      attend(kShape, q.data(), k.data(), v.data(), segments, y.data(), log_sums.data());
      attend_backward(
          kShape, {q.data(), k.data(), v.data(), y.data(), q.data(), log_sums.data(), dq.data(), dk.data(), dv.data()},
          segments);
    }
  }
}
BENCHMARK(training)->Arg(1024)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();

// Rows that all see each other, of heads of some width, in f32 or bf16.
void tower(benchmark::State& state) {
  const int64_t rows = state.range(0);
  AttentionShape shape = {16, 16, static_cast<int>(state.range(1)), 0.125f};
  shape.causal = false;
  shape.in_bf16 = state.range(2) != 0;
  Random random(1);
  std::vector<float> q(rows * shape.num_heads * shape.head_dim), y(q.size());
  for (float& value : q) value = random.normal();
  const AttentionSegment segment = {0, rows, 0, nullptr};
  for (auto _ : state) attend(shape, q.data(), q.data(), q.data(), {&segment, 1}, y.data(), nullptr);
  const double operations = 4.0 * static_cast<double>(rows) * static_cast<double>(q.size());
  state.counters["FLOP/s"] = benchmark::Counter(operations, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(tower)
    ->ArgsProduct({{577}, {64}, {0, 1}})
    ->ArgsProduct({{2916}, {80}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

}  // namespace
}  // namespace hearth::kernels
