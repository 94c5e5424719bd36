#include "server/terminal_chat/in_process_backend.h"

#include <random>

#include "models/prompt.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "server/chat_sampling.h"
#include "server/text_stream.h"

namespace hearth {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);

const char* finish_name(FinishReason reason) {
  if (reason == FinishReason::kLength) return "length";
  return reason == FinishReason::kCancelled ? "cancelled" : "stop";
}

// The setting, the default, or the value as it is.
template <class Setting, class Default, class Value>
void choose(const std::optional<Setting>& setting, const std::optional<Default>& otherwise, Value& value) {
  if (setting)
    value = static_cast<Value>(*setting);
  else if (otherwise)
    value = static_cast<Value>(*otherwise);
}

SamplingParams sampling_for(const ChatSettings& settings, const GenerationDefaults& checkpoint) {
  const GenerationDefaults defaults = chat_sampling(checkpoint);
  SamplingParams sampling;
  choose(settings.temperature, defaults.temperature, sampling.temperature);
  choose(settings.top_p, defaults.top_p, sampling.top_p);
  choose(settings.top_k, defaults.top_k, sampling.top_k);
  choose(settings.min_p, defaults.min_p, sampling.min_p);
  choose(settings.typical_p, defaults.typical_p, sampling.typical_p);
  choose(settings.repetition_penalty, defaults.repetition_penalty, sampling.repetition_penalty);
  sampling.frequency_penalty = static_cast<float>(settings.frequency_penalty.value_or(0));
  sampling.presence_penalty = static_cast<float>(settings.presence_penalty.value_or(0));
  sampling.seed = settings.seed ? static_cast<uint64_t>(*settings.seed) : std::random_device()();
  return sampling;
}

}  // namespace

InProcessBackend::Running::Running(OpenedModel model, const EngineOptions& options)
    : opened(std::move(model)), engine(opened.model.model, options) {
  if (!opened.model.is_chat_model())
    throw invalid_argument("{}: has no chat template, so it is no chat model; `hearth serve` serves it for completions",
                           opened.name);
}

InProcessBackend::InProcessBackend(OpenedModel opened, Open open, const EngineOptions& options)
    : open_(std::move(open)), options_(options), current_(std::make_unique<Running>(std::move(opened), options)) {}

std::vector<std::string> InProcessBackend::models() const {
  std::vector<std::string> names;
  for (CachedModel& cached : list_cached_models())
    if (cached.problem.empty()) names.push_back(std::move(cached.name));
  return names;
}

void InProcessBackend::use(const std::string& model, const std::string& adapter) {
  current_ = std::make_unique<Running>(open_(model, adapter), options_);
}

GenerateRequest InProcessBackend::request_for(const nlohmann::ordered_json& messages,
                                              const ChatSettings& settings) const {
  ChatTemplateInputs inputs;
  inputs.messages = messages;
  GenerateRequest request;
  const LoadedModel& model = current_->opened.model;
  request.adapter = current_->opened.adapter;
  request.prompt = encode_segments(*model.tokenizer, render_prompt(model, inputs));
  const int room = max_context() - static_cast<int>(request.prompt.size());
  if (room <= 0)
    throw resource_exhausted("the conversation has {} tokens and the context holds {}", request.prompt.size(),
                             max_context());
  request.max_tokens = static_cast<int>(std::min<int64_t>(settings.max_tokens.value_or(room), room));
  request.stop_token_ids = model.stop_token_ids;
  request.sampling = sampling_for(settings, model.defaults);
  return request;
}

ChatAnswer InProcessBackend::answer(const nlohmann::ordered_json& messages, const ChatSettings& settings,
                                    const OnText& on_text, const std::atomic<bool>& stop) {
  const LoadedModel& model = current_->opened.model;
  TextStream stream(current_->engine.submit(request_for(messages, settings)), model.tokenizer,
                    {.stop = model.stop_strings});
  ChatAnswer answer;
  for (;;) {
    if (stop) stream.cancel();
    const std::optional<TextEvent> event = stream.next(kPoll);
    if (!event) continue;
    if (!event->text.empty()) {
      answer.text += event->text;
      on_text(event->text);
    }
    if (event->kind != TextEvent::Kind::kFinished) continue;
    if (event->finish_reason == FinishReason::kError) throw Error(ErrorCode::kInternal, event->error);
    answer.finish_reason = finish_name(event->finish_reason);
    answer.prompt_tokens = event->prompt_tokens;
    answer.cached_tokens = event->cached_tokens;
    answer.completion_tokens = event->completion_tokens;
    return answer;
  }
}

}  // namespace hearth
