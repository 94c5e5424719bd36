// Two sequences that share the rows of their prompt train an adapter as the same sequences with a prompt each do, in
// models that differ in how a row knows its place and what it sees: rope, learned positions, windows, latent attention,
// experts.
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "models/adapters/new_adapter.h"
#include "runtime/tape.h"
#include "tests/models/adapters/tiny_adapters.h"
#include "tests/support/random_tensor.h"
#include "tests/support/tensor_difference.h"

namespace hearth {
namespace {

constexpr int kPrompt = 30, kFirst = 20, kSecond = 25;  // tokens, answers behind the prompt

// Two sequences; the second's rows begin at position `past` of it, the others are the first's.
Batch pair_of(int past, const Adapter* adapter) {
  const auto ids = test::tiny_models()["prompts"]["long"].get<std::vector<TokenId>>();
  std::vector<TokenId> second(ids.begin(), ids.begin() + kPrompt);
  second.insert(second.end(), ids.end() - kSecond, ids.end());
  Batch batch;
  batch.token_ids.assign(ids.begin(), ids.begin() + kPrompt + kFirst);
  batch.token_ids.insert(batch.token_ids.end(), second.begin() + past, second.end());
  batch.positions.resize(batch.token_ids.size());
  const auto first_end = batch.positions.begin() + kPrompt + kFirst;
  std::iota(batch.positions.begin(), first_end, 0);
  std::iota(first_end, batch.positions.end(), past);
  batch.segments = {{.begin = 0, .end = kPrompt + kFirst, .adapter = adapter},
                    {.begin = kPrompt + kFirst, .end = batch.tokens(), .past = past, .adapter = adapter}};
  return batch;
}

// Every row of the shared layout.
Tensor hidden(const LanguageModel& model, const Batch& batch) {
  std::vector<int> rows(kPrompt + kFirst + kSecond);
  std::iota(rows.begin(), rows.end(), 0);
  for (int i = 0; i < kSecond; ++i) rows[kPrompt + kFirst + i] = batch.tokens() - kSecond + i;
  return ops::gather_rows(model.forward(batch), rows);
}

// Zero at first, which would leave A without a gradient.
void fill_second_factors(Adapter& adapter) {
  uint64_t seed = 0;
  for (const auto& part : adapter.low_ranks)
    if (part) part->b.value = random_tensor(part->b.value.shape(), ++seed, 0.1f);
}

std::vector<Tensor> gradients(const LanguageModel& model, const Batch& batch, Adapter& adapter) {
  {
    Tape tape;
    const Tape::Recording on(tape);
    const Tensor y = hidden(model, batch);
    tape.backward(y, random_tensor(y.shape(), 1));
  }
  std::vector<Tensor> found;
  for (const auto& part : adapter.low_ranks) {
    if (!part) continue;
    for (Parameter* factor : {&part->a, &part->b}) {
      if (!factor->grad.defined()) continue;  // of an expert that no row goes through
      found.push_back(std::move(factor->grad));
      factor->grad = {};
    }
  }
  return found;
}

TEST(SharedPrefix, HasTheBitsAndTheGradientsOfTwoPrompts) {
  for (const char* name :
       {"none", "gpt2", "mistral_window", "gemma2", "deepseek_v2_groups", "mixtral", "qwen2_moe_window"}) {
    SCOPED_TRACE(name);
    const auto model = test::load_tiny(name);
    const PeftAdapter made = make_adapter({.rank = 4, .seed = 3}, model->tensors());
    Adapter& adapter = *made.adapter;
    fill_second_factors(adapter);
    const Batch two_prompts = pair_of(0, &adapter);
    Batch one_prompt = pair_of(kPrompt, &adapter);
    EXPECT_TRUE(same_bits(hidden(*model, one_prompt), hidden(*model, two_prompts)));
    const std::vector<Tensor> expected_gradients = gradients(*model, two_prompts, adapter);
    ASSERT_FALSE(expected_gradients.empty());
    for (const int recomputed_layers : {0, 1}) {
      one_prompt.recomputed_layers = recomputed_layers;
      const std::vector<Tensor> found_gradients = gradients(*model, one_prompt, adapter);
      ASSERT_EQ(found_gradients.size(), expected_gradients.size());
      for (size_t i = 0; i < expected_gradients.size(); ++i)
        EXPECT_LE(relative_difference({found_gradients[i]}, {expected_gradients[i]}), 1e-5) << i;
    }
  }
}

}  // namespace
}  // namespace hearth
