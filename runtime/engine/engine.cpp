#include "runtime/engine/engine.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/base/log.h"
#include "runtime/engine/scheduler.h"
#include "runtime/engine/step_runner.h"

namespace hearth {
namespace {

using Clock = Sequence::Clock;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

void require_positive(const char* name, int value) {
  if (value < 1) throw invalid_argument("engine: {} is {}, must be at least 1", name, value);
}

int blocks_of(const EngineOptions& options) {
  require_positive("cache_tokens", options.cache_tokens);
  require_positive("max_running", options.max_running);
  if (options.max_queued < 0)
    throw invalid_argument("engine: max_queued is {}, must be at least 0", options.max_queued);
  require_positive("step_tokens", options.step_tokens);
  return (options.cache_tokens - 1) / kBlockTokens + 1;
}

int context_of(const EngineOptions& options, const ModelDims& dims) {
  const int64_t cache = int64_t{blocks_of(options)} * kBlockTokens;
  const auto most = static_cast<int>(std::min<int64_t>(dims.max_positions, cache));
  if (options.max_context == 0) return most;
  require_positive("max_context", options.max_context);
  if (options.max_context > most) {
    throw invalid_argument(
        "engine: max_context is {}, but the model has {} positions and the cache {} tokens: lower max_context or raise "
        "cache_tokens",
        options.max_context, dims.max_positions, cache);
  }
  return options.max_context;
}

KvCache::Dims cache_dims(const ModelDims& dims) { return {dims.num_layers, dims.num_kv_heads, dims.head_dim}; }

}  // namespace

int64_t cache_bytes(const EngineOptions& options, const ModelDims& dims) {
  return static_cast<int64_t>(KvCache::bytes_for(cache_dims(dims), blocks_of(options), options.kv_format));
}

ContextOverflow::ContextOverflow(int64_t limit_tokens, int64_t prompt, int64_t requested_tokens)
    : Error(resource_exhausted("the context holds {} tokens, but {} were requested ({} in the prompt, {} for the "
                               "answer); shorten the prompt or ask for a shorter answer",
                               limit_tokens, prompt + requested_tokens, prompt, requested_tokens)),
      limit(limit_tokens),
      prompt_tokens(prompt),
      requested(requested_tokens) {}

QueueFull::QueueFull(int in_flight)
    : Error(resource_exhausted("the queue is full: {} requests are running or waiting; try again later", in_flight)) {}

class Engine::Impl {
 public:
  Impl(std::shared_ptr<const LanguageModel> model, const EngineOptions& options);
  ~Impl();

  std::shared_ptr<Stream> submit(GenerateRequest request);
  void drain();
  bool wait_idle(std::chrono::milliseconds timeout);
  int max_context() const { return max_context_; }
  EngineStats stats() const;

 private:
  using Sequences = std::vector<std::unique_ptr<Sequence>>;

  void check(const GenerateRequest& request) const;

  // The inference thread's.
  void run();
  bool take_submitted();
  void drop_cancelled();
  void step();
  void fail_all(const char* reason);
  void fail_step(const StepPlan& plan, const char* reason);
  void deliver(StepResult& result);
  void deliver_prompt(Sequence& sequence, std::vector<TokenOutput>& outputs);
  void deliver_token(Sequence& sequence, TokenOutput token);
  enum class Blocks { kReusable, kSpoiled };  // may others find what the sequence computed
  void finish(Sequence& sequence, FinishReason reason, const std::string& error = {},
              Blocks blocks = Blocks::kReusable);
  void count_rows(const StepPlan& plan, double seconds);
  void publish_stats();  // under mutex_

  const EngineOptions options_;
  const int64_t vocab_size_;
  const int max_context_;
  const int max_in_flight_;

  // Shared with the threads that submit; held for a few instructions at a time.
  mutable std::mutex mutex_;
  std::condition_variable wake_;  // submitted_ or stopping_ changed
  std::condition_variable idle_;  // in_flight_ fell to 0
  Sequences submitted_;
  int in_flight_ = 0;
  bool draining_ = false, stopping_ = false;
  EngineStats published_stats_;  // of stats_, after the last step

  KvCache cache_;
  BlockPool pool_;
  Scheduler scheduler_;
  PictureStore pictures_;
  StepRunner runner_;
  std::unordered_map<Sequence*, std::unique_ptr<Sequence>> sequences_;  // waiting and running
  EngineStats stats_;
  std::thread thread_;  // last: starts when all else stands
};

Engine::Impl::Impl(std::shared_ptr<const LanguageModel> model, const EngineOptions& options)
    : options_(options),
      vocab_size_(model->dims().vocab_size),
      max_context_(context_of(options, model->dims())),
      max_in_flight_(static_cast<int>(
          std::min<int64_t>(int64_t{options.max_running} + options.max_queued, std::numeric_limits<int>::max()))),
      cache_(cache_dims(model->dims()), blocks_of(options), options.kv_format),
      pool_(cache_.num_blocks()),
      scheduler_(pool_, {options.max_running, options.step_tokens, model->dims().fixed_rope_length}),
      runner_(std::move(model), cache_, pictures_) {
  publish_stats();  // alone so far
  thread_ = std::thread([this] { run(); });
}

Engine::Impl::~Impl() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Engine::Impl::check(const GenerateRequest& request) const {
  if (request.prompt.empty()) throw invalid_argument("the prompt has no tokens");
  for (size_t i = 0; i < request.prompt.size(); ++i) {
    const TokenId id = request.prompt[i];
    if (id < 0 || id >= vocab_size_)
      throw invalid_argument("token {} of the prompt is {}, which is not in the vocabulary of {}", i, id, vocab_size_);
  }
  for (const TokenId id : request.logprob_ids)
    if (id < 0 || id >= vocab_size_)
      throw invalid_argument("logprob_ids has {}, which is not in the vocabulary of {}", id, vocab_size_);
  if (request.max_tokens < 0) throw invalid_argument("max_tokens is {}, must be at least 0", request.max_tokens);
  if (request.min_tokens < 0) throw invalid_argument("min_tokens is {}, must be at least 0", request.min_tokens);
  if (request.top_logprobs < -1 || request.top_logprobs > vocab_size_)
    throw invalid_argument("top_logprobs is {}, must be from 0 to {}", request.top_logprobs, vocab_size_);
  if (request.value_head && request.max_tokens > 0)
    throw invalid_argument("max_tokens is {}, must be 0 for the reward of a prompt", request.max_tokens);
  Sampler::check(request.sampling, vocab_size_);
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  for (int64_t end = 0; const auto& [begin, picture] : request.pictures) {
    HEARTH_CHECK(begin >= end && !request.prompt_logprobs);
    const std::vector<int>& places = picture->layout().feature_rows;
    end = begin + (places.empty() ? 0 : places.back() + 1);
    HEARTH_CHECK(end <= prompt);
  }
  if (prompt + request.max_tokens > max_context_) throw ContextOverflow(max_context_, prompt, request.max_tokens);
}

std::shared_ptr<Stream> Engine::Impl::submit(GenerateRequest request) {
  check(request);
  auto stream = std::make_shared<Stream>();
  auto sequence = std::make_unique<Sequence>(std::move(request), stream);
  if (Sampler::uses_counts(sequence->request.sampling))
    for (const TokenId id : sequence->tokens) sequence->counts.try_emplace(id, 0);
  sequence->submitted_at = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (draining_ || stopping_) throw unavailable("the engine is shutting down and takes no more requests");
    if (in_flight_ >= max_in_flight_) throw QueueFull(in_flight_);
    submitted_.push_back(std::move(sequence));
    ++in_flight_;
  }
  wake_.notify_one();
  return stream;
}

void Engine::Impl::drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

bool Engine::Impl::wait_idle(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, timeout, [&] { return in_flight_ == 0; });
}

EngineStats Engine::Impl::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = published_stats_;
  stats.queued += static_cast<int>(submitted_.size());
  return stats;
}

// Sleeps while there is nothing to do. False when the engine stops.
bool Engine::Impl::take_submitted() {
  Sequences submitted;
  bool stopping;
  {
    std::unique_lock lock(mutex_);
    publish_stats();
    if (sequences_.empty()) wake_.wait(lock, [&] { return stopping_ || !submitted_.empty(); });
    submitted.swap(submitted_);
    stopping = stopping_;
  }
  for (std::unique_ptr<Sequence>& sequence : submitted) {
    Sequence* key = sequence.get();
    for (const auto& [begin, picture] : key->request.pictures)
      for (const int row : picture->layout().feature_rows) key->tokens[begin + row] = pictures_.id_of(*picture);
    scheduler_.add(*key);
    sequences_.emplace(key, std::move(sequence));
  }
  return !stopping;
}

void Engine::Impl::run() {
  while (take_submitted()) {
    try {
      drop_cancelled();
      if (!sequences_.empty()) step();
    } catch (const std::exception& error) {
      fail_all(error.what());
    }
  }
  while (!sequences_.empty()) finish(*sequences_.begin()->first, FinishReason::kCancelled);
}

void Engine::Impl::drop_cancelled() {
  std::vector<Sequence*> cancelled;
  for (const auto& [sequence, owner] : sequences_)
    if (sequence->stream->cancelled() || sequence->stream.use_count() == 1) cancelled.push_back(sequence);
  for (Sequence* sequence : cancelled) finish(*sequence, FinishReason::kCancelled);
}

void Engine::Impl::step() {
  const Clock::time_point begin = Clock::now();
  const StepPlan plan = scheduler_.plan();
  HEARTH_CHECK(!plan.rows.empty());
  for (Sequence* sequence : plan.admitted) {
    sequence->admitted_at = begin;
    stats_.cached_tokens += sequence->cached_tokens;
  }
  for (Sequence* sequence : plan.preempted) sequence->prompt_outputs.clear();
  stats_.preempted += plan.preempted.size();
  std::vector<StepResult> results;
  try {
    results = runner_.run(plan);
  } catch (const std::exception& error) {
    return fail_step(plan, error.what());
  }
  scheduler_.commit(plan);
  count_rows(plan, seconds_between(begin, Clock::now()));
  for (StepResult& result : results) deliver(result);
}

// What the step's sequences computed is not found again: nobody knows how far the model came.
void Engine::Impl::fail_step(const StepPlan& plan, const char* reason) {
  log::error("a step of {} sequences failed: {}", plan.rows.size(), reason);
  for (const PlannedRows& rows : plan.rows) finish(*rows.sequence, FinishReason::kError, reason, Blocks::kSpoiled);
}

void Engine::Impl::fail_all(const char* reason) {
  log::error("{} sequences failed: {}", sequences_.size(), reason);
  while (!sequences_.empty()) finish(*sequences_.begin()->first, FinishReason::kError, reason, Blocks::kSpoiled);
}

void Engine::Impl::deliver(StepResult& result) {
  Sequence& sequence = *result.sequence;
  if (!result.error.empty()) {
    log::error("a sequence of {} tokens failed: {}", sequence.length(), result.error);
    return finish(sequence, FinishReason::kError, result.error, Blocks::kSpoiled);
  }
  if (sequence.prompt_logprobs_pending()) deliver_prompt(sequence, result.prompt);
  sequence.reward = result.reward;
  if (result.token)
    deliver_token(sequence, std::move(*result.token));
  else if (sequence.pending() == 0)
    finish(sequence, FinishReason::kLength);  // the prompt was all, or the constraint lets nothing follow
}

void Engine::Impl::deliver_prompt(Sequence& sequence, std::vector<TokenOutput>& outputs) {
  std::move(outputs.begin(), outputs.end(), std::back_inserter(sequence.prompt_outputs));
  if (sequence.computed < sequence.prompt_length) return;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kPrompt;
  event.prompt = std::move(sequence.prompt_outputs);
  sequence.stream->push(std::move(event));
  sequence.prompt_delivered = true;
}

void Engine::Impl::deliver_token(Sequence& sequence, TokenOutput token) {
  const GenerateRequest& request = sequence.request;
  sequence.tokens.push_back(token.id);
  if (Sampler::uses_counts(request.sampling)) ++sequence.counts[token.id];
  ++stats_.generated_tokens;
  const std::vector<TokenId>& stops = request.stop_token_ids;
  if (std::find(stops.begin(), stops.end(), token.id) != stops.end()) return finish(sequence, FinishReason::kStop);
  if (request.constraint) request.constraint->accept(token.id);
  StreamEvent event;
  event.kind = StreamEvent::Kind::kToken;
  event.token = std::move(token);
  sequence.stream->push(std::move(event));
  if (request.constraint && request.constraint->must_end()) return finish(sequence, FinishReason::kStop);
  if (sequence.drawn() == request.max_tokens) finish(sequence, FinishReason::kLength);
}

void Engine::Impl::finish(Sequence& sequence, FinishReason reason, const std::string& error, Blocks blocks) {
  if (blocks == Blocks::kReusable)
    scheduler_.remove(sequence);
  else
    scheduler_.discard(sequence);
  stats_.cancelled += reason == FinishReason::kCancelled;
  stats_.failed += reason == FinishReason::kError;

  StreamEvent event;
  event.kind = StreamEvent::Kind::kFinished;
  event.finish_reason = reason;
  event.error = error;
  event.prompt_tokens = sequence.prompt_length;
  event.cached_tokens = sequence.cached_tokens;
  event.completion_tokens = sequence.drawn();
  event.reward = sequence.reward;
  event.queue_seconds = seconds_between(sequence.submitted_at, sequence.admitted ? sequence.admitted_at : Clock::now());
  const std::shared_ptr<Stream> stream = sequence.stream;
  sequences_.erase(&sequence);
  {
    const std::lock_guard lock(mutex_);
    --in_flight_;
    publish_stats();  // whoever reads the event finds its blocks free
  }
  stream->push(std::move(event));
  idle_.notify_all();
}

void Engine::Impl::count_rows(const StepPlan& plan, double seconds) {
  int rows = 0, decode_rows = 0;
  for (const PlannedRows& planned : plan.rows) {
    rows += planned.count;
    decode_rows += planned.past >= planned.sequence->prompt_length && planned.count == 1;
  }
  ++stats_.steps;
  stats_.prompt_tokens += rows - decode_rows;
  stats_.decode_seconds += seconds * decode_rows / rows;
  stats_.prefill_seconds += seconds * (rows - decode_rows) / rows;
}

void Engine::Impl::publish_stats() {
  stats_.running = static_cast<int>(scheduler_.running().size());
  stats_.queued = static_cast<int>(scheduler_.waiting().size());
  stats_.blocks_total = pool_.num_blocks();
  stats_.blocks_used = pool_.num_blocks() - pool_.available();
  published_stats_ = stats_;
}

Engine::Engine(std::shared_ptr<const LanguageModel> model, EngineOptions options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
Engine::~Engine() = default;

std::shared_ptr<Stream> Engine::submit(GenerateRequest request) { return impl_->submit(std::move(request)); }
void Engine::drain() { impl_->drain(); }
bool Engine::wait_idle(std::chrono::milliseconds timeout) { return impl_->wait_idle(timeout); }
int Engine::max_context() const { return impl_->max_context(); }
EngineStats Engine::stats() const { return impl_->stats(); }

}  // namespace hearth
