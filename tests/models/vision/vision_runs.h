// What a model makes of the runs of tests/golden/make_vision.py.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include <gtest/gtest.h>

#include "models/prompt.h"
#include "runtime/engine/engine.h"
#include "runtime/ops/ops.h"
#include "tests/models/tiny_models.h"
#include "tests/models/vision/tiny_vision.h"

namespace hearth::test {

inline constexpr double kTolerance = 1e-4;
inline const LoadOptions kExact{.compute_dtype = ComputeDtype::kFloat32};

inline Batch batch_of(const PicturedPrompt& prompt) {
  Batch batch = batch_of(prompt.token_ids, 0, static_cast<int>(prompt.token_ids.size()));
  batch.grid_positions = grid_positions(batch.tokens(), prompt.pictures);
  std::vector<float> values;
  for (const PlacedPicture& placed : prompt.pictures) {
    const Tensor features = placed.picture->features(nullptr);
    for (const int row : placed.picture->layout().feature_rows) batch.embedded.rows.push_back(placed.begin + row);
    values.insert(values.end(), features.data(), features.data() + features.size());
  }
  if (values.empty()) return batch;
  const auto rows = static_cast<int64_t>(batch.embedded.rows.size());
  batch.embedded.values = Tensor({rows, static_cast<int64_t>(values.size()) / rows});
  std::ranges::copy(values, batch.embedded.values.data());
  return batch;
}

// From the run's text, as a template would have made it.
inline PicturedPrompt prepared_prompt(const LoadedModel& loaded, const nlohmann::json& run) {
  std::vector<PromptSegment> segments = {{.text = run["text"]}};
  loaded.pictures->prepare(segments);
  return pictured_prompt(loaded, encode_segments(*loaded.tokenizer, segments), run["pictures"]);
}

// `prompt` is of the run's tokens but where pictures are.
inline void expect_logprobs(const LoadedModel& loaded, const PicturedPrompt& prompt, const nlohmann::json& run) {
  const Tensor hidden = loaded.model->forward(batch_of(prompt));
  auto targets = run["expanded"].get<std::vector<TokenId>>();
  targets.erase(targets.begin());
  targets.push_back(-1);
  const Tensor found = ops::token_logprobs(hidden, loaded.model->output_head(), targets);
  const auto expected = run["logprobs"].get<std::vector<double>>();
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(found.data()[i], expected[i], kTolerance) << i;
}

struct Answer {
  std::vector<TokenId> ids;
  int cached_tokens = 0;
};

inline Answer answer(Engine& engine, const PicturedPrompt& prompt, int tokens) {
  GenerateRequest request;
  request.prompt = prompt.token_ids;
  request.pictures = prompt.pictures;
  request.max_tokens = tokens;
  request.sampling.temperature = 0;
  const std::shared_ptr<Stream> stream = engine.submit(std::move(request));
  Answer answer;
  while (const auto event = stream->next(std::chrono::seconds(60))) {
    if (event->kind == StreamEvent::Kind::kToken) answer.ids.push_back(event->token.id);
    if (event->kind != StreamEvent::Kind::kFinished) continue;
    EXPECT_EQ(event->error, "");
    answer.cached_tokens = event->cached_tokens;
    break;
  }
  return answer;
}

}  // namespace hearth::test
