// A recorded forward and the backward to its embeddings on the default model: 4 sequences of 256 tokens, all of them
// targets. Tokens a second (items), of wall time and of CPU time, and the process's peak memory, for which run one
// benchmark at a time: --benchmark_filter=bf16.
#include <cstdlib>
#include <filesystem>

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include "models/loader.h"
#include "runtime/base/random.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

constexpr int kSequences = 4, kLength = 256;

Batch random_batch(int64_t vocab_size) {
  Random random(1);
  Batch batch;
  for (int s = 0; s < kSequences; ++s) {
    batch.segments.push_back({.begin = s * kLength, .end = (s + 1) * kLength});
    for (int i = 0; i < kLength; ++i) {
      batch.token_ids.push_back(static_cast<TokenId>(random.below(static_cast<uint64_t>(vocab_size))));
      batch.positions.push_back(i);
    }
  }
  return batch;
}

std::filesystem::path model_path() {
  if (const char* path = std::getenv("HEARTH_DEFAULT_MODEL")) return path;
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home ? home : "") / ".cache/hearth/models/smollm2-135m-instruct.gguf";
}

void train_step(benchmark::State& state, ComputeDtype dtype) {
  const LoadedModel loaded = load_model(model_path(), {.compute_dtype = dtype});
  const ModelDims& dims = loaded.model->dims();
  Batch batch = random_batch(dims.vocab_size);
  std::vector<TokenId> targets(batch.token_ids.begin() + 1, batch.token_ids.end());
  targets.push_back(0);
  Parameter embeddings{"embeddings", Tensor({batch.tokens(), dims.hidden_size}), {}};
  Random random(2);
  for (size_t i = 0; i < embeddings.value.size(); ++i) embeddings.value.data()[i] = 0.1f * random.normal();
  for (int r = 0; r < batch.tokens(); ++r) batch.embedded.rows.push_back(r);
  for (auto _ : state) {
    Tape tape;
    const Tape::Recording on(tape);
    batch.embedded.values = Tape::leaf(embeddings);
    const Tensor hidden = loaded.model->forward(batch);
    const Tensor loss = ops::mean(ops::token_logprobs(hidden, loaded.model->output_head(), targets));
    tape.backward(loss);
    benchmark::DoNotOptimize(embeddings.grad.data());
  }
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  state.SetItemsProcessed(state.iterations() * batch.tokens());
  state.counters["peak_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}
BENCHMARK_CAPTURE(train_step, f32, ComputeDtype::kFloat32)
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(train_step, bf16, ComputeDtype::kBFloat16)
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

}  // namespace
}  // namespace hearth
