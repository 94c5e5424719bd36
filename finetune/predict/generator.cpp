#include "finetune/predict/generator.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "finetune/predict/batch_engine.h"
#include "runtime/base/error.h"
#include "runtime/base/random.h"

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

// Read when it is their turn: those that wait in line are a few.
std::vector<PlacedPicture> pictures_of(const EncodedText& prompt, const LoadedModel& loaded,
                                       const PixelLimits& limits) {
  std::vector<PlacedPicture> pictures;
  for (const ExamplePicture& one : prompt.pictures)
    pictures.push_back({one.begin, read_picture(*one.picture, *loaded.pictures, limits)});
  return pictures;
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
  BatchEngine engine(loaded_, {.at_once = spec_.training.per_device_eval_batch_size,
                               .longest = most_tokens(prompts, max_new_tokens, dims.max_positions),
                               .dtype = spec_.generation.infer_dtype,
                               .remedy = "lower max_new_tokens or cutoff_len"});
  const SamplingParams sampling = sampling_of(spec_.generation);
  const auto request = [&](size_t index) {
    GenerateRequest made{.prompt = prompts[index].prompt.ids,
                         .pictures = pictures_of(prompts[index].prompt, loaded_, spec_.data.pixel_limits),
                         .stop_token_ids = loaded_.stop_token_ids,
                         .sampling = sampling,
                         .adapter = adapter_};
    const int64_t room = engine.max_context() - static_cast<int64_t>(made.prompt.size());
    made.max_tokens = static_cast<int>(std::min(max_new_tokens, room));
    made.sampling.seed = Random(Random(static_cast<uint64_t>(spec_.training.seed)).next() + index).next();
    return made;
  };
  const auto decoded = [&](const std::vector<TokenOutput>& tokens) {
    std::vector<TokenId> ids;
    for (const TokenOutput& token : tokens) ids.push_back(token.id);
    answer({up_to(loaded_.tokenizer->decode(ids), loaded_.stop_strings), static_cast<int64_t>(ids.size())});
  };
  return engine.run(first, prompts.size(), request, decoded, stop);
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
