#include "finetune/trainer/memory_plan.h"

#include <algorithm>
#include <vector>

#include "finetune/losses/sft.h"
#include "finetune/objectives/collator.h"
#include "finetune/optim/clip.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

namespace hearth {
namespace {

constexpr double kGiB = 1 << 30;
constexpr double kUsable = 0.95;  // of what is available: the estimate's own error

struct Measured {
  const LanguageModel& model;
  Trainable& trainable;
  KeptPrecision precision;
};

// Bytes of tensors that a step over so many tokens has alive at once. Every layer and the head take part.
int64_t measure(const Measured& of, int64_t tokens, int recomputed_layers) {
  TokenizedExample example;
  example.input_ids.assign(tokens, 0);
  example.labels.assign(tokens, 0);
  const TokenizedExample* one = &example;
  TrainingBatch batch = collate({&one, 1}, of.trainable.adapter());
  batch.batch.recomputed_layers = recomputed_layers;
  const int64_t before = tensor_memory().live;
  start_tensor_peak();
  {
    Tape tape(of.precision);
    const Tape::Recording on(tape);
    const Tensor loss =
        sft_loss(of.model.forward(batch.batch), of.model.output_head(), batch.targets, batch.num_targets);
    tape.backward(loss);
  }
  zero_gradients(of.trainable.parameters());
  return tensor_memory().peak - before;
}

// A step over `tokens`, from two that are affordable: what a token takes, and what a step takes besides.
int64_t estimate(const Measured& of, int64_t tokens, int recomputed_layers) {
  constexpr int64_t kFew = 128, kMore = 256;  // above the rows that the head computes at once
  const int64_t longest = std::max<int64_t>(of.model.dims().max_positions, 1);
  const int64_t more = std::min({kMore, tokens, longest}), few = std::min(kFew, more);
  const int64_t large = measure(of, more, recomputed_layers);
  if (more == tokens || few == more) return large * std::max<int64_t>(1, (tokens + more - 1) / more);
  const int64_t small = measure(of, few, recomputed_layers);
  return large + (large - small) * (tokens - more) / (more - few);
}

// What a batch of examples with as many pictures as this one has on the tape before its first layer.
int64_t measure_pictures(const Measured& of, PictureFeatures& pictures, const TokenizedExample* example,
                         int64_t batch_size) {
  if (!example) return 0;
  TrainingBatch batch = collate({&example, 1}, of.trainable.adapter());
  Tape tape(of.precision);
  const Tape::Recording on(tape);
  const int64_t before = tensor_memory().live;
  pictures.see(batch);
  return (tensor_memory().live - before) * batch_size;
}

std::string remedy(const TrainSpec& spec, const MemoryPlan& plan) {
  const TrainingSpec& t = spec.training;
  const double left = kUsable * static_cast<double>(plan.available) -
                      static_cast<double>(plan.resident + plan.optimizer + plan.pictures);
  if (left <= 0) return "a smaller model, or one quantised to fewer bits, would fit";
  const double share = left / static_cast<double>(plan.step);
  const int batch = static_cast<int>(share * t.per_device_train_batch_size);
  if (batch >= 1)
    return fmt::format("per_device_train_batch_size: {} would fit (gradient_accumulation_steps: {} keeps the batch)",
                       batch, (t.gradient_accumulation_steps * t.per_device_train_batch_size + batch - 1) / batch);
  const auto tokens = static_cast<int64_t>(share * static_cast<double>(plan.batch_tokens));
  return fmt::format("per_device_train_batch_size: 1 with cutoff_len: {} would fit", std::max<int64_t>(tokens, 1));
}

}  // namespace

std::string MemoryPlan::describe() const {
  const auto gib = [](int64_t bytes) { return static_cast<double>(bytes) / kGiB; };
  return fmt::format(
      "peak memory about {:.2f} GiB: {:.2f} model and data, {:.2f} optimizer, {:.2f} activations of {} tokens{}{}; "
      "{:.1f} GiB available",
      gib(peak()), gib(resident), gib(optimizer), gib(step), batch_tokens,
      pictures > 0 ? fmt::format(", {:.2f} pictures", gib(pictures)) : "",
      recomputed_layers > 0 ? " (layers are computed again in the backward pass)" : "", gib(available));
}

KeptPrecision kept_precision(const TrainingSpec& training) {
  return training.bf16 ? KeptPrecision::kBFloat16 : KeptPrecision::kFloat32;
}

MemoryPlan plan_memory(const TrainSpec& spec, const LanguageModel& model, Trainable& trainable, int64_t batch_tokens,
                       int64_t available, PictureFeatures& pictures, const TokenizedExample* pictured) {
  MemoryPlan plan{.batch_tokens = batch_tokens};
  for (const Parameter* parameter : trainable.parameters())
    plan.optimizer += int64_t{3} * static_cast<int64_t>(parameter->value.size() * sizeof(float));
  plan.available = available;
  const Measured measured{model, trainable, kept_precision(spec.training)};
  plan.step = estimate(measured, batch_tokens, 0);
  plan.pictures =
      pictures.most_bytes() + measure_pictures(measured, pictures, pictured, spec.training.per_device_train_batch_size);
  plan.resident = resident_memory();
  const auto fits = [&] { return static_cast<double>(plan.peak()) <= kUsable * static_cast<double>(plan.available); };
  if (!fits() && spec.training.gradient_checkpointing) {
    plan.recomputed_layers = model.dims().num_layers;
    plan.step = estimate(measured, batch_tokens, plan.recomputed_layers);
  }
  if (!fits())
    throw resource_exhausted("this job does not fit: {}; {}{}", plan.describe(), remedy(spec, plan),
                             spec.training.gradient_checkpointing ? "" : ", or disable_gradient_checkpointing: false");
  return plan;
}

}  // namespace hearth
