#include "finetune/predict/generator.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/base/random.h"
#include "runtime/engine/engine.h"

namespace hearth {
namespace {

constexpr int kMaxNewTokens = 1024;  // LLaMA-Factory's, as the values below

SamplingParams sampling_of(const GenerationSpec& generation) {
  SamplingParams params;
  params.repetition_penalty = generation.repetition_penalty.value_or(1.0f);
  params.temperature = 0;
  if (!generation.samples()) return params;
  params.temperature = generation.temperature.value_or(0.95f);
  params.top_p = generation.top_p.value_or(0.7f);
  params.top_k = generation.top_k.value_or(50);
  return params;
}

struct InFlight {
  std::shared_ptr<Stream> stream;
  std::vector<TokenId> ids;
};

// Waits for the rest of its tokens; false when stopped.
bool finish(InFlight& answer, const std::function<bool()>& stop) {
  constexpr auto kPatience = std::chrono::milliseconds(100);
  while (!stop()) {
    const std::optional<StreamEvent> event = answer.stream->next(kPatience);
    if (!event) continue;
    if (event->kind == StreamEvent::Kind::kToken) answer.ids.push_back(event->token.id);
    if (event->kind != StreamEvent::Kind::kFinished) continue;
    if (event->finish_reason == FinishReason::kError) throw internal_error("generation failed: {}", event->error);
    return true;
  }
  return false;
}

// Tokens of the longest sequence.
int64_t most_tokens(std::span<const EncodedPrompt> prompts, int64_t max_new_tokens, int64_t positions) {
  int64_t most = 0;
  for (const EncodedPrompt& one : prompts) {
    const auto length = static_cast<int64_t>(one.prompt.size());
    if (length >= positions)
      throw invalid_argument(
          "{}: a prompt of {} tokens leaves no room for an answer in the model's {} positions: lower cutoff_len",
          one.place, length, positions);
    most = std::max(most, length);
  }
  return std::min(most + max_new_tokens, positions);
}

EngineOptions engine_options(const ModelDims& dims, int64_t sequence_tokens, const TrainSpec& spec) {
  EngineOptions options;
  options.kv_format = spec.generation.infer_dtype == ComputeDtype::kFloat32 ? KvFormat::kF32 : KvFormat::kF16;
  options.max_running = std::min(spec.training.per_device_eval_batch_size, 256);
  options.max_queued = 3 * options.max_running;
  constexpr int64_t kMostTokens = 1 << 24;
  const int64_t room = (available_memory() - resident_memory()) / 4 * 3;
  for (int64_t sequences = options.max_running; sequences > 0; sequences /= 2) {
    options.cache_tokens = static_cast<int>(std::min(sequences * sequence_tokens, kMostTokens));
    if (cache_bytes(options, dims) <= room) return options;
  }
  throw resource_exhausted(
      "the cache of a prompt with its answer ({} tokens) takes {}, and {} are left: lower max_new_tokens or cutoff_len",
      sequence_tokens, format_memory(cache_bytes(options, dims)), format_memory(std::max<int64_t>(room, 0)));
}

// Up to the first of the template's stop words that are no tokens.
std::string up_to(std::string text, const std::vector<std::string>& stop_strings) {
  for (const std::string& word : stop_strings) text.resize(std::min(text.size(), text.find(word)));
  return text;
}

}  // namespace

Generator::Generator(const LoadedModel& loaded, std::shared_ptr<const Adapter> adapter, const TrainSpec& spec)
    : loaded_(loaded), adapter_(std::move(adapter)), spec_(spec) {}

bool Generator::run(std::span<const EncodedPrompt> prompts, size_t first,
                    const std::function<void(const GeneratedAnswer&)>& answer,
                    const std::function<bool()>& stop) const {
  const ModelDims dims = loaded_.model->dims();
  const int64_t max_new_tokens = spec_.generation.max_new_tokens.value_or(kMaxNewTokens);
  const EngineOptions options = engine_options(dims, most_tokens(prompts, max_new_tokens, dims.max_positions), spec_);
  Engine engine(loaded_.model, options);
  const SamplingParams sampling = sampling_of(spec_.generation);
  const auto submit = [&](size_t index) {
    GenerateRequest request{.prompt = prompts[index].prompt,
                            .stop_token_ids = loaded_.stop_token_ids,
                            .sampling = sampling,
                            .adapter = adapter_};
    const int64_t room = engine.max_context() - static_cast<int64_t>(request.prompt.size());
    request.max_tokens = static_cast<int>(std::min(max_new_tokens, room));
    request.sampling.seed = Random(Random(static_cast<uint64_t>(spec_.training.seed)).next() + index).next();
    return InFlight{engine.submit(std::move(request)), {}};
  };
  std::deque<InFlight> in_flight;
  const size_t most = static_cast<size_t>(options.max_running) + static_cast<size_t>(options.max_queued);
  for (size_t next = first, done = first; done < prompts.size(); ++done) {
    for (; next < prompts.size() && in_flight.size() < most; ++next) in_flight.push_back(submit(next));
    if (!finish(in_flight.front(), stop)) return false;
    const std::vector<TokenId>& ids = in_flight.front().ids;
    answer({up_to(loaded_.tokenizer->decode(ids), loaded_.stop_strings), static_cast<int64_t>(ids.size())});
    in_flight.pop_front();
  }
  return true;
}

std::string Generator::description() const {
  const SamplingParams params = sampling_of(spec_.generation);
  const int max_new_tokens = spec_.generation.max_new_tokens.value_or(kMaxNewTokens);
  std::string text = params.temperature == 0
                         ? "greedy"
                         : fmt::format("sampled (temperature {}, top_p {}, top_k {}, seed {})", params.temperature,
                                       params.top_p, params.top_k, spec_.training.seed);
  if (params.repetition_penalty != 1) text += fmt::format(", repetition_penalty {}", params.repetition_penalty);
  return fmt::format("{}, at most {} tokens each", text, max_new_tokens);
}

}  // namespace hearth
