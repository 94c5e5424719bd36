// Every architecture trains: an adapter on all of its linear maps lowers the loss, and merged into the model it gives
// the log-probabilities that it gives beside it. From a Hugging Face directory and, as QLoRA, from a GGUF file.
#include <cmath>

#include <gtest/gtest.h>

#include "finetune/losses/sft.h"
#include "finetune/objectives/collator.h"
#include "finetune/optim/adamw.h"
#include "finetune/optim/clip.h"
#include "models/adapters/merge.h"
#include "models/adapters/new_adapter.h"
#include "tests/models/tiny_models.h"

namespace hearth {
namespace {

TokenizedExample example() {
  TokenizedExample one;
  for (int i = 0; i < 14; ++i) one.input_ids.push_back(3 + (11 * i) % 40);
  one.labels = one.input_ids;
  return one;
}

Tensor logprobs(const LanguageModel& model, const TrainingBatch& batch) {
  return ops::token_logprobs(model.forward(batch.batch), model.output_head(), batch.targets);
}

double loss_of(const LanguageModel& model, const TrainingBatch& batch) {
  const Tensor values = logprobs(model, batch);
  return -ops::sum(values).data()[0] / static_cast<double>(batch.num_targets);
}

void train(const LanguageModel& model, const TrainingBatch& batch, const Adapter& adapter) {
  std::vector<Parameter*> parameters;
  for (const auto& part : adapter.low_ranks) {
    if (!part) continue;
    parameters.push_back(&part->a);
    parameters.push_back(&part->b);
  }
  AdamW optimizer(parameter_groups(parameters, 1e-2, 0, {}), {});
  for (int step = 0; step < 3; ++step) {
    {
      Tape tape;
      const Tape::Recording on(tape);
      tape.backward(sft_loss(model.forward(batch.batch), model.output_head(), batch.targets, batch.num_targets));
    }
    optimizer.step(1);
    zero_gradients(parameters);
  }
}

void expect_trains(const std::filesystem::path& path) {
  const LoadedModel loaded = load_model(path, {.compute_dtype = ComputeDtype::kFloat32});
  const LanguageModel& model = *loaded.model;
  const PeftAdapter peft = make_adapter({.rank = 2, .alpha = 4, .seed = 5}, model.tensors());
  const TokenizedExample one = example();
  const TokenizedExample* batch_of_one = &one;
  const TrainingBatch with = collate({&batch_of_one, 1}, peft.adapter.get());
  const TrainingBatch without = collate({&batch_of_one, 1}, nullptr);

  const double before = loss_of(model, with);
  EXPECT_EQ(before, loss_of(model, without)) << "b is zero";
  train(model, with, *peft.adapter);
  const Tensor beside = logprobs(model, with);
  EXPECT_LT(loss_of(model, with), before - 1e-2);
  EXPECT_EQ(before, loss_of(model, without)) << "the base is as it was";

  for (const std::shared_ptr<ModelTensor>& tensor : model.tensors())
    if (const LowRank* part = peft.adapter->at(tensor->linear)) tensor->weight = merged(tensor->weight, *part);
  const Tensor inside = logprobs(model, without);
  for (size_t i = 0; i < inside.size(); ++i)
    EXPECT_NEAR(inside.data()[i], beside.data()[i], 2e-4 * (1 + std::abs(beside.data()[i]))) << "row " << i;
}

// Those that have the file.
std::vector<std::string> cases(const char* file) {
  std::vector<std::string> names;
  for (const nlohmann::json& one : test::tiny_models()["cases"])
    if (one.value(file, nlohmann::json()).is_string()) names.push_back(one["name"]);
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

class AdapterOnDirectory : public testing::TestWithParam<std::string> {};
class AdapterOnGguf : public testing::TestWithParam<std::string> {};

TEST_P(AdapterOnDirectory, Trains) {
  const test::TemporaryDirectory directory;
  test::make_directory(test::tiny_model(GetParam()), directory.path());
  expect_trains(directory.path());
}

TEST_P(AdapterOnGguf, Trains) {
  const test::TemporaryDirectory directory;
  expect_trains(test::make_gguf(test::tiny_model(GetParam()), directory.path()));
}

INSTANTIATE_TEST_SUITE_P(Cases, AdapterOnDirectory, testing::ValuesIn(cases("weights")), test_name);
INSTANTIATE_TEST_SUITE_P(Cases, AdapterOnGguf, testing::ValuesIn(cases("gguf")), test_name);

}  // namespace
}  // namespace hearth
