// Serves many sequences on one model: a bounded queue, paged KV blocks, continuous batching (prefill chunks and decode
// rows share a step), prefix reuse, cancellation at every step. One inference thread alone owns scheduler, cache and
// sampler; it does no JSON, no text and no I/O. An error in a step fails that step's requests and the engine goes on.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "runtime/base/error.h"
#include "runtime/engine/request.h"
#include "runtime/engine/stream.h"
#include "runtime/language_model.h"

namespace hearth {

struct EngineOptions {
  int cache_tokens = 8192;  // capacity of the KV cache, rounded up to blocks
  KvFormat kv_format = KvFormat::kF16;
  int max_context = 0;    // tokens of one sequence; no more than the model's max_positions and the cache; 0: that many
  int max_running = 64;   // sequences in the batch at once
  int max_queued = 256;   // requests beyond max_running; one more is refused
  int step_tokens = 512;  // rows of one step
};

// What the KV cache of an engine takes when it is full. Throws what Engine throws for such options.
int64_t cache_bytes(const EngineOptions& options, const ModelDims& dims);

// prompt + max_tokens do not fit: kResourceExhausted with the numbers.
struct ContextOverflow : Error {
  ContextOverflow(int64_t limit_tokens, int64_t prompt, int64_t requested_tokens);
  int64_t limit, prompt_tokens, requested;
};
// max_running + max_queued requests are under way: kResourceExhausted.
struct QueueFull : Error {
  explicit QueueFull(int in_flight);
};

// Counters since start and gauges now; for /metrics and /health.
struct EngineStats {
  uint64_t prompt_tokens = 0;  // computed: without those from the prefix cache, with those computed again
  uint64_t cached_tokens = 0, generated_tokens = 0, steps = 0, cancelled = 0, failed = 0, preempted = 0;
  double prefill_seconds = 0, decode_seconds = 0;  // wall time of steps, split by rows
  int running = 0, queued = 0;
  int blocks_total = 0, blocks_used = 0;  // used: held by a sequence (cached but free blocks are not used)
};

class Engine {
 public:
  Engine(std::shared_ptr<const LanguageModel> model, EngineOptions options);
  ~Engine();  // cancels what is left and joins the inference thread
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Thread-safe. Throws kInvalidArgument for a request that can never run (empty prompt, id or parameter out of range),
  // ContextOverflow when prompt + max_tokens does not fit max_context(), QueueFull, kUnavailable while draining.
  std::shared_ptr<Stream> submit(GenerateRequest request);

  // Refuses new requests from now on. wait_idle returns true when nothing is left, false at the deadline.
  void drain();
  bool wait_idle(std::chrono::milliseconds timeout);

  int max_context() const;
  EngineStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
