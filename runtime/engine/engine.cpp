#include "runtime/engine/engine.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/parallel.h"
#include "runtime/engine/scheduler.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLogitRows = 32;  // rows whose logits exist at once: 6 MiB for 49,152 tokens

int context_of(const ModelDims& dims, const EngineOptions& options) {
  const int cache = (options.cache_tokens + kBlockTokens - 1) / kBlockTokens * kBlockTokens;
  return std::min({options.max_context > 0 ? options.max_context : dims.max_positions, dims.max_positions, cache});
}

// A row whose logits are wanted: to score the prompt's next token, or to draw one.
struct LogitRow {
  int row;  // of the step
  Sequence* sequence;
  TokenId target;  // -1: draw
};

TokenOutput describe(const Logprobs& logprobs, TokenId id, int top) { return {id, logprobs.of(id), logprobs.top(top)}; }

TokenOutput evaluate(const LogitRow& wanted, std::span<float> logits) {
  const int top = wanted.sequence->request.top_logprobs;
  if (wanted.target >= 0) return describe(Logprobs(logits), wanted.target, std::max(top, 0));
  if (top < 0) return {wanted.sequence->sampler.draw(logits), 0, {}};
  const std::vector<float> raw(logits.begin(), logits.end());  // the model's own distribution, before penalties
  const TokenId id = wanted.sequence->sampler.draw(logits);
  return describe(Logprobs(raw), id, top);
}

}  // namespace

class Engine::Impl {
 public:
  Impl(std::shared_ptr<const LanguageModel> model, EngineOptions options)
      : model_(std::move(model)),
        options_(options),
        max_context_(context_of(model_->dims(), options)),
        pool_((options.cache_tokens + kBlockTokens - 1) / kBlockTokens),
        cache_({model_->dims().num_layers, model_->dims().num_kv_heads, model_->dims().head_dim}, pool_.total(),
               options.kv_format),
        scheduler_(pool_, {options.max_running, options.step_tokens}),
        thread_([this] { run(); }) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  std::shared_ptr<Stream> submit(GenerateRequest request);
  void drain() {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  bool wait_idle(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return idle_.wait_for(lock, timeout,
                          [this] { return incoming_.empty() && stats_.running == 0 && stats_.queued == 0; });
  }
  int max_context() const { return max_context_; }
  EngineStats stats() const {
    const std::lock_guard lock(mutex_);
    EngineStats stats = stats_;
    stats.queued += static_cast<int>(incoming_.size());
    return stats;
  }

 private:
  void check(const GenerateRequest& request) const;
  void run();
  bool take_incoming();
  void step();
  void compute(const StepPlan& plan);
  Batch batch_of(const StepPlan& plan);
  std::vector<LogitRow> wanted_rows(const StepPlan& plan) const;
  void deliver(const LogitRow& row, TokenOutput output);
  void send_prompt(Sequence& sequence);
  void finish(Sequence& sequence, FinishReason reason, const std::string& error = {});
  void finish_all(FinishReason reason);
  void publish_gauges();

  const std::shared_ptr<const LanguageModel> model_;
  const EngineOptions options_;
  const int max_context_;
  BlockPool pool_;
  KvCache cache_;
  Scheduler scheduler_;
  std::vector<const Sequence*> finished_;  // in the step under way
  uint64_t next_id_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::vector<std::unique_ptr<Sequence>> incoming_;
  bool draining_ = false, stopping_ = false;
  EngineStats stats_;

  std::thread thread_;  // last: it uses all of the above
};

void Engine::Impl::check(const GenerateRequest& request) const {
  const int64_t vocab_size = model_->dims().vocab_size;
  const auto check_id = [vocab_size](TokenId id, const char* what) {
    if (id < 0 || id >= vocab_size)
      throw invalid_argument("{} {} is not a token of the model; ids are 0 to {}", what, id, vocab_size - 1);
  };
  if (request.prompt.empty()) throw invalid_argument("the prompt has no tokens");
  for (const TokenId id : request.prompt) check_id(id, "prompt token");
  for (const TokenId id : request.stop_token_ids) check_id(id, "stop token");
  for (const auto& [id, bias] : request.sampling.logit_bias) check_id(id, "logit_bias token");
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  if (prompt + request.max_tokens > max_context_) throw ContextOverflow(max_context_, prompt, request.max_tokens);
}

std::shared_ptr<Stream> Engine::Impl::submit(GenerateRequest request) {
  check(request);
  auto stream = std::make_shared<Stream>();
  {
    const std::lock_guard lock(mutex_);
    if (draining_ || stopping_) throw unavailable("the engine is shutting down");
    if (static_cast<int>(incoming_.size()) + stats_.queued >= options_.max_queued) throw QueueFull(options_.max_queued);
    auto sequence = std::make_unique<Sequence>(next_id_++, std::move(request), stream);
    const int longest = sequence->prompt_tokens() + sequence->request.max_tokens;
    sequence->shares_prefix = !sequence->request.prompt_logprobs && longest <= model_->dims().fixed_rope_length;
    incoming_.push_back(std::move(sequence));
  }
  wake_.notify_one();
  return stream;
}

// Waits for work; false when the engine is to end.
bool Engine::Impl::take_incoming() {
  std::unique_lock lock(mutex_);
  if (scheduler_.empty()) wake_.wait(lock, [this] { return stopping_ || !incoming_.empty(); });
  if (stopping_) return false;
  for (auto& sequence : incoming_) scheduler_.add(std::move(sequence));
  incoming_.clear();
  stats_.queued = scheduler_.waiting();
  stats_.running = scheduler_.running();
  return true;
}

void Engine::Impl::publish_gauges() {
  {
    const std::lock_guard lock(mutex_);
    stats_.running = scheduler_.running();
    stats_.queued = scheduler_.waiting();
    stats_.blocks_total = pool_.total();
    stats_.blocks_used = pool_.used();
  }
  idle_.notify_all();
}

void Engine::Impl::run() {
  publish_gauges();
  while (take_incoming()) {
    const auto cancelled = scheduler_.take_if([](const Sequence& sequence) { return sequence.stream->cancelled(); });
    publish_gauges();
    for (const auto& sequence : cancelled) finish(*sequence, FinishReason::kCancelled);
    if (!scheduler_.empty()) step();
  }
  finish_all(FinishReason::kCancelled);
  publish_gauges();
}

void Engine::Impl::step() {
  const StepPlan plan = scheduler_.plan();
  const auto begin = Clock::now();
  std::string error;
  try {
    compute(plan);
  } catch (const std::exception& failure) {
    error = failure.what();
    log::error("engine: a step of {} sequences failed: {}", plan.rows.size(), error);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const auto in_plan = [&plan](const Sequence& sequence) {
    return std::ranges::any_of(plan.rows, [&](const PlannedRows& rows) { return rows.sequence == &sequence; });
  };
  const auto done = scheduler_.take_if([&](const Sequence& sequence) {
    return error.empty() ? std::ranges::find(finished_, &sequence) != finished_.end() : in_plan(sequence);
  });
  {
    const std::lock_guard lock(mutex_);
    int rows = 0;
    for (const PlannedRows& planned : plan.rows) rows += planned.rows;
    const double decode_share = rows > 0 ? static_cast<double>(plan.decode_rows) / rows : 0;
    ++stats_.steps;
    stats_.preempted += plan.preempted;
    stats_.prompt_tokens += rows - plan.decode_rows;
    stats_.decode_seconds += seconds * decode_share;
    stats_.prefill_seconds += seconds * (1 - decode_share);
  }
  // Blocks are free before the clients hear of it.
  publish_gauges();
  for (const auto& sequence : done) {
    if (!error.empty()) {
      finish(*sequence, FinishReason::kError, error);
    } else {
      finish(*sequence, sequence->finish_reason);
    }
  }
  finished_.clear();
}

Batch Engine::Impl::batch_of(const StepPlan& plan) {
  Batch batch;
  batch.cache = &cache_;
  for (const auto& [sequence, rows] : plan.rows) {
    Segment segment;
    segment.begin = batch.tokens();
    segment.end = segment.begin + rows;
    segment.past = sequence->computed;
    segment.blocks = &sequence->blocks;
    segment.prompt_length = sequence->prompt_tokens();
    for (int i = 0; i < rows; ++i) {
      batch.token_ids.push_back(sequence->tokens[sequence->computed + i]);
      batch.positions.push_back(sequence->computed + i);
    }
    batch.segments.push_back(segment);
  }
  return batch;
}

std::vector<LogitRow> Engine::Impl::wanted_rows(const StepPlan& plan) const {
  std::vector<LogitRow> wanted;
  int row = 0;
  for (const auto& [sequence, rows] : plan.rows) {
    const int end = sequence->computed + rows;
    if (sequence->request.prompt_logprobs && !sequence->prompt_sent) {
      for (int i = sequence->computed; i < std::min(end, sequence->prompt_tokens() - 1); ++i)
        wanted.push_back({row + i - sequence->computed, sequence, sequence->request.prompt[i + 1]});
    }
    row += rows;
    if (end == static_cast<int>(sequence->tokens.size()) && sequence->request.max_tokens > 0)
      wanted.push_back({row - 1, sequence, -1});
  }
  return wanted;
}

void Engine::Impl::compute(const StepPlan& plan) {
  const Batch batch = batch_of(plan);
  const Tensor hidden = model_->forward(batch);
  const std::vector<LogitRow> wanted = wanted_rows(plan);
  for (const auto& [sequence, rows] : plan.rows) {
    if (sequence->computed == 0) sequence->prompt_logprobs.clear();  // a preempted prompt begins again
  }
  scheduler_.computed(plan);
  std::vector<TokenOutput> outputs(wanted.size());
  for (size_t begin = 0; begin < wanted.size(); begin += kLogitRows) {
    const size_t count = std::min(kLogitRows, wanted.size() - begin);
    std::vector<int> rows(count);
    for (size_t i = 0; i < count; ++i) rows[i] = wanted[begin + i].row;
    Tensor logits = ops::logits(ops::gather_rows(hidden, rows), model_->output_head());
    parallel_for(static_cast<int64_t>(count), 2, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        outputs[begin + i] = evaluate(wanted[begin + i], {logits.row(i), static_cast<size_t>(logits.dim(-1))});
    });
  }
  for (size_t i = 0; i < wanted.size(); ++i) deliver(wanted[i], std::move(outputs[i]));
  for (const auto& [sequence, rows] : plan.rows) {
    if (sequence->request.max_tokens > 0 || sequence->pending() > 0) continue;
    send_prompt(*sequence);
    sequence->finish_reason = FinishReason::kLength;
    finished_.push_back(sequence);
  }
}

void Engine::Impl::send_prompt(Sequence& sequence) {
  if (!sequence.request.prompt_logprobs || sequence.prompt_sent) return;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kPrompt;
  event.prompt = std::move(sequence.prompt_logprobs);
  sequence.prompt_sent = true;
  sequence.stream->push(std::move(event));
}

void Engine::Impl::deliver(const LogitRow& row, TokenOutput output) {
  Sequence& sequence = *row.sequence;
  if (row.target >= 0) {
    sequence.prompt_logprobs.push_back(std::move(output));
    return;
  }
  send_prompt(sequence);
  const TokenId id = output.id;
  sequence.tokens.push_back(id);
  if (std::ranges::find(sequence.request.stop_token_ids, id) != sequence.request.stop_token_ids.end()) {
    sequence.finish_reason = FinishReason::kStop;
    finished_.push_back(&sequence);
    return;
  }
  StreamEvent event;
  event.token = std::move(output);
  sequence.stream->push(std::move(event));
  if (sequence.drawn() < sequence.request.max_tokens) return;
  sequence.finish_reason = FinishReason::kLength;
  finished_.push_back(&sequence);
}

void Engine::Impl::finish(Sequence& sequence, FinishReason reason, const std::string& error) {
  StreamEvent event;
  event.kind = StreamEvent::Kind::kFinished;
  event.finish_reason = reason;
  event.error = error;
  event.prompt_tokens = sequence.prompt_tokens();
  event.cached_tokens = sequence.cached_tokens;
  event.completion_tokens = sequence.drawn();
  {
    const std::lock_guard lock(mutex_);
    stats_.generated_tokens += static_cast<uint64_t>(sequence.drawn());
    stats_.cached_tokens += static_cast<uint64_t>(sequence.cached_tokens);
    stats_.cancelled += reason == FinishReason::kCancelled;
    stats_.failed += reason == FinishReason::kError;
  }
  sequence.stream->push(std::move(event));
}

void Engine::Impl::finish_all(FinishReason reason) {
  std::vector<std::unique_ptr<Sequence>> left = scheduler_.take_if([](const Sequence&) { return true; });
  {
    const std::lock_guard lock(mutex_);
    for (auto& sequence : incoming_) left.push_back(std::move(sequence));
    incoming_.clear();
  }
  for (const auto& sequence : left) finish(*sequence, reason);
}

ContextOverflow::ContextOverflow(int64_t limit_tokens, int64_t prompt, int64_t requested_tokens)
    : Error(ErrorCode::kResourceExhausted,
            fmt::format("the context holds {} tokens, but {} were requested ({} in the prompt, {} for the answer); "
                        "shorten the prompt or ask for a shorter answer",
                        limit_tokens, prompt + requested_tokens, prompt, requested_tokens)),
      limit(limit_tokens),
      prompt_tokens(prompt),
      requested(requested_tokens) {}

QueueFull::QueueFull(int queue_limit)
    : Error(ErrorCode::kResourceExhausted,
            fmt::format("{} requests are waiting already, which is the limit; try again later", queue_limit)) {}

Engine::Engine(std::shared_ptr<const LanguageModel> model, EngineOptions options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
Engine::~Engine() = default;
std::shared_ptr<Stream> Engine::submit(GenerateRequest request) { return impl_->submit(std::move(request)); }
void Engine::drain() { impl_->drain(); }
bool Engine::wait_idle(std::chrono::milliseconds timeout) { return impl_->wait_idle(timeout); }
int Engine::max_context() const { return impl_->max_context(); }
EngineStats Engine::stats() const { return impl_->stats(); }

}  // namespace hearth
