#include "server/generation.h"

#include <algorithm>
#include <random>

#include "server/api_error.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

// How long one answer is waited for while others may have news.
constexpr auto kTurn = std::chrono::milliseconds(10);
constexpr float kLowestLogprob = -9999;

template <class Value>
Value choose(const std::optional<Value>& request, const std::optional<Value>& model, Value otherwise) {
  return request ? *request : model.value_or(otherwise);
}

SamplingParams sampling_of(const GenerationFields& fields, const GenerationDefaults& defaults) {
  SamplingParams out;
  out.temperature = choose(fields.temperature, defaults.temperature, out.temperature);
  out.top_p = choose(fields.top_p, defaults.top_p, out.top_p);
  out.top_k = choose(fields.top_k, defaults.top_k, out.top_k);
  out.min_p = choose(fields.min_p, defaults.min_p, out.min_p);
  out.typical_p = choose(fields.typical_p, defaults.typical_p, out.typical_p);
  out.repetition_penalty = choose(fields.repetition_penalty, defaults.repetition_penalty, out.repetition_penalty);
  out.frequency_penalty = fields.frequency_penalty;
  out.presence_penalty = fields.presence_penalty;
  out.logit_bias = fields.logit_bias;
  return out;
}

// Never shortens what was asked for.
int max_tokens_of(const GenerationFields& fields, const ServedModel& model, int64_t prompt_tokens,
                  const std::string& param) {
  const int64_t limit = model.engine->max_context();
  int64_t wanted = 1;  // an answer that may be as long as it likes needs room for one token
  if (fields.max_tokens)
    wanted = *fields.max_tokens;
  else if (model.default_max_tokens > 0)
    wanted = std::min<int64_t>(model.default_max_tokens, std::max<int64_t>(1, limit - prompt_tokens));
  else
    wanted = std::max<int64_t>(1, limit - prompt_tokens);
  if (prompt_tokens + wanted <= limit) return static_cast<int>(wanted);
  throw ApiError(
      ErrorCode::kInvalidArgument,
      fmt::format("'{}' holds {} tokens at most, but {} were requested: {} in the prompt and {} for the answer; "
                  "shorten the prompt or lower max_tokens",
                  model.id, limit, prompt_tokens + wanted, prompt_tokens, wanted),
      {.code = "context_length_exceeded", .param = param});
}

// The engine would leave stop tokens that cannot come aside.
void check_ids(const GenerationFields& fields, const ServedModel& model) {
  const int64_t vocab_size = model.loaded.model->dims().vocab_size;
  const auto check = [&](TokenId id, const char* param) {
    if (id >= vocab_size)
      throw invalid_field(
          param, fmt::format("'{}': {} is not a token of '{}'; ids are 0 to {}", param, id, model.id, vocab_size - 1));
  };
  for (const TokenId id : fields.stop_token_ids) check(id, "stop_token_ids");
  for (const auto& [id, bias] : fields.logit_bias) check(id, "logit_bias");
}

uint64_t random_seed() {
  thread_local std::random_device random;
  return (uint64_t{random()} << 32) | random();
}

}  // namespace

void check_answer_count(int64_t answers, const EngineOptions& engine, const std::string& param) {
  const int64_t limit = int64_t{engine.max_running} + engine.max_queued;
  if (answers > limit)
    throw invalid_field(
        param, fmt::format("'{}': {} answers in one request; at most {} can run and wait", param, answers, limit));
}

Generation::Generation(std::shared_ptr<ServedModel> model, const GenerationFields& fields, GenerationInputs inputs,
                       ModelMetrics& metrics, Clock::time_point received)
    : model_(std::move(model)), metrics_(metrics), received_(received), per_prompt_(static_cast<size_t>(fields.n)) {
  check_ids(fields, *model_);
  GenerateRequest request;
  request.sampling = sampling_of(fields, model_->loaded.defaults);
  request.adapter = model_->adapter;
  request.value_head = model_->value_head;
  request.min_tokens = fields.min_tokens;
  request.top_logprobs = fields.top_logprobs;
  if (!fields.ignore_eos) request.stop_token_ids = model_->loaded.stop_token_ids;
  request.stop_token_ids.insert(request.stop_token_ids.end(), fields.stop_token_ids.begin(),
                                fields.stop_token_ids.end());
  const uint64_t seed = fields.seed ? static_cast<uint64_t>(*fields.seed) : random_seed();
  const TextStreamOptions options = {.stop = fields.stop,
                                     .min_tokens = fields.min_tokens,
                                     .logprobs = fields.top_logprobs >= 0,
                                     .shown_tokens = std::move(inputs.shown_tokens)};
  std::vector<int> max_tokens;
  for (const auto& prompt : inputs.prompts)
    max_tokens.push_back(max_tokens_of(fields, *model_, static_cast<int64_t>(prompt.size()), inputs.prompt_param));
  try {
    for (size_t i = 0; i < inputs.prompts.size() * per_prompt_; ++i) {
      GenerateRequest copy = request;
      copy.prompt = inputs.prompts[i / per_prompt_];
      copy.pictures = inputs.pictures;
      copy.max_tokens = max_tokens[i / per_prompt_];
      copy.sampling.seed = seed + i;
      copy.prompt_logprobs = inputs.prompt_logprobs;
      if (inputs.grammar) copy.constraint = std::make_shared<GrammarConstraint>(inputs.grammar);
      const auto prompt_tokens = static_cast<int>(copy.prompt.size());
      answers_.push_back(
          {.stream = TextStream(model_->engine->submit(std::move(copy)), model_->loaded.tokenizer, options),
           .prompt_tokens = prompt_tokens});
    }
  } catch (const QueueFull& error) {  // the answers that were submitted are cancelled as they go
    const int seconds = metrics_.retry_after_seconds(model_->engine->stats(), model_->max_running);
    throw ApiError(ErrorCode::kResourceExhausted, error.what(),
                   {.code = "server_overloaded", .retry_after_seconds = seconds});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnavailable) throw;
    throw ApiError(ErrorCode::kUnavailable, error.what(), {.code = "shutting_down"});
  }
  running_ = answers_.size();
}

std::optional<Generation::Event> Generation::next(std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (running_ > 0) {
    // One answer is waited for, a short while when there are others; then all of them are asked, in turn.
    for (size_t asked = 0; asked < answers_.size(); ++asked) {
      const size_t index = (turn_ + asked) % answers_.size();
      Answer& answer = answers_[index];
      if (answer.finished) continue;
      if (std::optional<TextEvent> event = answer.stream.next(std::chrono::milliseconds(0))) {
        turn_ = index + 1;
        take(answer, *event);
        return Event{index, std::move(*event)};
      }
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return std::nullopt;
    while (answers_[turn_ % answers_.size()].finished) ++turn_;
    const size_t index = turn_ % answers_.size();
    if (std::optional<TextEvent> event =
            answers_[index].stream.next(running_ > 1 ? std::min<std::chrono::milliseconds>(left, kTurn) : left)) {
      take(answers_[index], *event);
      ++turn_;
      return Event{index, std::move(*event)};
    }
    ++turn_;
  }
  return std::nullopt;
}

void Generation::take(Answer& answer, const TextEvent& event) {
  const auto seconds_since = [&event](Clock::time_point then) {
    return std::max(0.0, std::chrono::duration<double>(event.time - then).count());
  };
  if (event.kind == TextEvent::Kind::kText) {
    if (answer.last_text == Clock::time_point())
      metrics_.first_token(seconds_since(received_));
    else
      metrics_.next_token(seconds_since(answer.last_text));
    answer.last_text = event.time;
  }
  if (event.kind != TextEvent::Kind::kFinished) return;
  answer.finished = true;
  --running_;
  answer.prompt_tokens = event.prompt_tokens;
  answer.cached_tokens = event.cached_tokens;
  answer.completion_tokens = event.completion_tokens;
  const bool is_cancelled = event.finish_reason == FinishReason::kCancelled;
  const bool is_failed = event.finish_reason == FinishReason::kError;
  metrics_.finished(is_cancelled ? "cancelled"
                    : is_failed  ? "error"
                                 : finish_reason_name(event.finish_reason),
                    seconds_since(received_), event.queue_seconds);
  if (is_failed) throw internal_error("{}", event.error);
  if (is_cancelled && cancelled_) throw cancelled("the client went away");
  if (is_cancelled) throw ApiError(ErrorCode::kUnavailable, "the server is shutting down", {.code = "shutting_down"});
}

void Generation::cancel() {
  cancelled_ = true;
  for (Answer& answer : answers_) answer.stream.cancel();
}

std::shared_ptr<void> Generation::watch(Client* client) {
  return client ? client->on_gone([this] { cancel(); }) : nullptr;
}

TokenUsage Generation::usage() const {
  TokenUsage usage;
  for (size_t i = 0; i < answers_.size(); ++i) {
    usage.completion += answers_[i].completion_tokens;
    if (i % per_prompt_ != 0) continue;
    usage.prompt += answers_[i].prompt_tokens;
    usage.cached += answers_[i].cached_tokens;
  }
  return usage;
}

nlohmann::ordered_json usage_json(const TokenUsage& usage) {
  return {{"prompt_tokens", usage.prompt},
          {"completion_tokens", usage.completion},
          {"total_tokens", usage.prompt + usage.completion},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached}, {"audio_tokens", 0}}},
          {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning}, {"audio_tokens", 0}}}};
}

std::string_view finish_reason_name(FinishReason reason) { return reason == FinishReason::kLength ? "length" : "stop"; }

double json_logprob(float logprob) { return std::max(logprob, kLowestLogprob); }

}  // namespace hearth
