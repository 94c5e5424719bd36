#include "finetune/spec/check_train_spec.h"

#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "finetune/spec/chat_keys.h"
#include "finetune/spec/spec_fields.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

// `refuse(condition, key, message)`: throws with the key's place.
struct Checker {
  const KeyPlaces& places;

  void refuse(bool broken, std::string_view key, std::string_view message) const {
    if (broken) throw invalid_argument("{}: {}", places.of(key), message);
  }
};

bool is_whole(double value) { return value == std::floor(value); }

void check_present(const TrainSpec& spec, const Checker& check) {
  const TrainingSpec& training = spec.training;
  check.refuse(spec.model_name_or_path.empty(), "model_name_or_path",
               "please provide 'model_name_or_path': a GGUF file, a directory, org/name or a name of `hearth models`");
  check.refuse(training.output_dir.empty(), "output_dir",
               "please provide 'output_dir': the folder for the adapter, checkpoints and logs");
  check.refuse(!training.do_train && !training.do_eval && !training.do_predict, "do_train",
               "there is nothing to do: set 'do_train: true', 'do_eval: true' or 'do_predict: true'");
}

void check_data(const TrainSpec& spec, const Checker& check) {
  const DataSpec& data = spec.data;
  const TrainingSpec& training = spec.training;
  const bool has_probs = !data.interleave_probs.empty();
  const auto other_length = [&](const auto& names) {
    return has_probs && !names.empty() && names.size() != data.interleave_probs.size();
  };
  check.refuse(data.val_size > 0 && data.dataset.empty(), "val_size",
               "'val_size' takes a part of 'dataset', which is not given: add it, or use 'eval_dataset' alone");
  check.refuse(data.val_size > 0 && !data.eval_dataset.empty(), "val_size",
               "'val_size' and 'eval_dataset' both name examples to evaluate on: remove one");
  check.refuse(data.val_size > 1 && !is_whole(data.val_size), "val_size",
               "'val_size' is a fraction below 1 or a whole number of examples");
  check.refuse(has_probs && data.mix_strategy == MixStrategy::kConcat, "interleave_probs",
               "'interleave_probs' needs 'mix_strategy: interleave_under', 'interleave_over' or 'interleave_once'");
  check.refuse(other_length(data.dataset), "interleave_probs",
               fmt::format("'interleave_probs' has {} numbers and 'dataset' {} names: give each its number",
                           data.interleave_probs.size(), data.dataset.size()));
  check.refuse(other_length(data.eval_dataset), "interleave_probs",
               fmt::format("'interleave_probs' has {} numbers and 'eval_dataset' {} names: give each its number",
                           data.interleave_probs.size(), data.eval_dataset.size()));
  const double sum = std::accumulate(data.interleave_probs.begin(), data.interleave_probs.end(), 0.0);
  check.refuse(has_probs && std::abs(sum - 1) > 1e-6, "interleave_probs",
               fmt::format("'interleave_probs' add up to {}, must be 1", sum));
  check.refuse(data.streaming && data.val_size > 0 && data.val_size < 1, "val_size",
               "'streaming' does not know how many examples there are: 'val_size' must be a whole number of them");
  check.refuse(data.streaming && data.max_samples.has_value(), "max_samples",
               "'max_samples' does not go with 'streaming': remove one");
  check.refuse(data.streaming && training.max_steps <= 0, "streaming",
               "'streaming' does not know when an epoch ends: set 'max_steps'");
  check.refuse(data.mask_history && data.train_on_prompt, "mask_history",
               "'mask_history' and 'train_on_prompt' contradict each other: remove one");
  check.refuse(training.do_train && data.dataset.empty(), "do_train",
               "'do_train' needs 'dataset': names in dataset_info.json of 'dataset_dir'");
}

void check_stage(const TrainSpec& spec, const Checker& check) {
  if (spec.stage == Stage::kSft) return;
  const auto only_sft = [&](bool given, std::string_view key) {
    check.refuse(given, key, fmt::format("'{}' is for 'stage: sft' only: remove it", key));
  };
  only_sft(spec.training.predict_with_generate, "predict_with_generate");
  only_sft(spec.training.do_predict, "do_predict");
  only_sft(spec.data.neat_packing, "neat_packing");
  only_sft(spec.data.train_on_prompt, "train_on_prompt");
  only_sft(spec.data.mask_history, "mask_history");
  const bool has_value_head = spec.stage == Stage::kRewardModel || spec.stage == Stage::kPpo;
  check.refuse(has_value_head && spec.training.load_best_model_at_end, "load_best_model_at_end",
               "'load_best_model_at_end' is not for 'stage: rm' and 'stage: ppo': remove it");
  check.refuse(spec.lora.pissa_init && (spec.stage == Stage::kKto || spec.stage == Stage::kPpo), "pissa_init",
               "'pissa_init' changes the reference model of 'stage: kto' and 'stage: ppo': remove it");
}

void check_preference(const TrainSpec& spec, const Checker& check) {
  const PreferenceSpec& p = spec.preference;
  const bool takes_pairs_apart =
      p.has(PreferenceLoss::kAot) || p.has(PreferenceLoss::kAotUnpaired) || p.has(PreferenceLoss::kKtoPair);
  check.refuse(!p.has_reference() && p.losses.size() > 1, "pref_loss",
               "'pref_loss' orpo and simpo have no reference and stand alone: remove the others");
  check.refuse(!p.loss_weights.empty() && p.loss_weights.size() != p.losses.size(), "loss_weights",
               fmt::format("'loss_weights' has {} numbers and 'pref_loss' {} losses: give each its weight",
                           p.loss_weights.size(), p.losses.size()));
  check.refuse(p.has(PreferenceLoss::kExoPair) && p.label_smoothing == 0, "pref_loss",
               "'pref_loss: exo_pair' takes the logarithm of 'dpo_label_smoothing': 0.001 is its paper's value");
  check.refuse(p.has(PreferenceLoss::kRobust) && p.label_smoothing >= 0.5, "dpo_label_smoothing",
               "'pref_loss: robust' needs 'dpo_label_smoothing' below 0.5");
  check.refuse(!p.has_reference() && (p.use_weighting || !p.loss_weights.empty()), "pref_loss",
               "'pref_loss' orpo and simpo are taken as they are: remove 'use_weighting' and 'loss_weights'");
  check.refuse(p.use_weighting && takes_pairs_apart, "use_weighting",
               "'use_weighting' weighs pairs, which 'pref_loss' aot, aot_unpaired and kto_pair take apart: remove one");
  check.refuse(p.bco_weight > 0 && !p.has_reference(), "pref_bco_weight",
               "'pref_bco_weight' compares with a reference, which 'pref_loss' orpo and simpo have not: remove it");
  for (const PreferenceLoss loss : p.losses)
    check.refuse(p.divergence != Divergence::kReverseKl && !is_of_scores(loss) && loss != PreferenceLoss::kSft,
                 "f_divergence_type",
                 fmt::format("'f_divergence_type' is of 'pref_loss' {}: remove it for the others",
                             fmt::join(names_of(is_of_scores), ", ")));
}

// Of the stages whose examples are two answers each: dpo, kto, rm.
void check_pairs(const TrainSpec& spec, const Checker& check) {
  check.refuse(spec.training.label_smoothing_factor > 0, "label_smoothing_factor",
               "'label_smoothing_factor' is for 'stage: sft': 'dpo_label_smoothing' is that of pairs");
  check.refuse(spec.training.compute_accuracy, "compute_accuracy",
               "'compute_accuracy' is for 'stage: sft': accuracies of rewards are always there");
  check.refuse(spec.data.packing.value_or(false), "packing", "'packing' is for stages sft and pt: remove it");
}

void check_method(const TrainSpec& spec, const Checker& check) {
  const LoraSpec& lora = spec.lora;
  const size_t adapters = spec.adapter_name_or_path.size();
  const bool quantised = check.places.has("quantization_bit");
  if (spec.finetuning_type != FinetuningType::kLora) {
    const auto only_lora = [&](bool given, std::string_view key) {
      check.refuse(given, key, fmt::format("'{}' is for 'finetuning_type: lora' only: remove it", key));
    };
    only_lora(adapters > 0, "adapter_name_or_path");
    only_lora(quantised, "quantization_bit");
    only_lora(lora.loraplus_lr_ratio.has_value(), "loraplus_lr_ratio");
    only_lora(lora.use_rslora, "use_rslora");
    only_lora(lora.use_dora, "use_dora");
    only_lora(lora.pissa_init, "pissa_init");
  }
  check.refuse(lora.target.empty(), "lora_target",
               "'lora_target' names no module: 'all', or names such as q_proj,v_proj");
  check.refuse(spec.freeze.trainable_modules.empty(), "freeze_trainable_modules",
               "'freeze_trainable_modules' names no module: 'all', or names such as mlp,self_attn");
  check.refuse(quantised && lora.pissa_init, "pissa_init",
               "'pissa_init' changes the model's weights and 'quantization_bit' keeps them: remove one");
  check.refuse(quantised && adapters > 0 && lora.create_new_adapter, "create_new_adapter",
               "'create_new_adapter' merges the earlier one into weights that 'quantization_bit' keeps: remove one");
  check.refuse(quantised && adapters > 1, "adapter_name_or_path",
               "'quantization_bit' takes one adapter: merge the others into the model first");
}

void check_interval(const Checker& check, Interval strategy, double steps, std::string_view key) {
  if (strategy != Interval::kSteps) return;
  check.refuse(steps == 0, key, fmt::format("'{}' is 0: give a number of steps or set its strategy to 'no'", key));
  check.refuse(steps > 1 && !is_whole(steps), key,
               fmt::format("'{}' is {}: a ratio below 1 or a whole number of steps", key, steps));
}

// save_steps must come when an evaluation does; both may be ratios.
bool is_multiple(double save_steps, double eval_steps) {
  if (eval_steps <= 0) return false;
  if ((save_steps < 1) != (eval_steps < 1)) return false;
  const double quotient = save_steps / eval_steps;
  return std::abs(quotient - std::round(quotient)) < 1e-6 && quotient > 0.5;
}

void check_training(const TrainSpec& spec, const Checker& check) {
  const TrainingSpec& training = spec.training;
  const DataSpec& data = spec.data;
  const std::string_view evaluating = check.places.has("do_eval") ? "do_eval" : "eval_strategy";
  check.refuse((training.do_eval || training.do_predict || training.predict_with_generate) &&
                   data.eval_dataset.empty() && data.val_size == 0,
               evaluating, "there is nothing to evaluate on: add 'eval_dataset' or 'val_size'");
  check.refuse(training.do_predict && !training.predict_with_generate, "do_predict",
               "'do_predict' writes what the model generates: add 'predict_with_generate: true'");
  check.refuse(
      training.predict_with_generate && !training.do_predict, "predict_with_generate",
      "'predict_with_generate' is how 'do_predict' predicts: add 'do_predict: true', or remove it (evaluations "
      "are of the loss)");
  check.refuse(training.predict_with_generate && training.compute_accuracy, "compute_accuracy",
               "'compute_accuracy' and 'predict_with_generate' do not go together: remove one");
  check_interval(check, training.logging_strategy, training.logging_steps, "logging_steps");
  check_interval(check, training.save_strategy, training.save_steps, "save_steps");
  check_interval(check, training.eval_strategy, training.eval_steps.value_or(0), "eval_steps");
  check.refuse(training.warmup_steps > 1 && !is_whole(training.warmup_steps), "warmup_steps",
               fmt::format("'warmup_steps' is {}: a ratio below 1 or a whole number of steps", training.warmup_steps));
  check.refuse(training.early_stopping_steps && training.eval_strategy == Interval::kNo, "early_stopping_steps",
               "'early_stopping_steps' counts evaluations: set 'eval_strategy'");
  if (!training.load_best_model_at_end) return;
  check.refuse(training.eval_strategy == Interval::kNo || training.eval_strategy != training.save_strategy,
               "load_best_model_at_end",
               "'load_best_model_at_end' needs 'eval_strategy' and 'save_strategy' to be the same, steps or epoch");
  check.refuse(
      training.eval_strategy == Interval::kSteps && !is_multiple(training.save_steps, training.eval_steps.value_or(0)),
      "load_best_model_at_end",
      fmt::format("'load_best_model_at_end' needs 'save_steps' ({}) to be a multiple of 'eval_steps' ({})",
                  training.save_steps, training.eval_steps.value_or(0)));
}

// What LLaMA-Factory has and hearth does not yet.
void check_there(const TrainSpec& spec, const Checker& check) {
  check.refuse(spec.stage == Stage::kPpo, "stage",
               "'stage: ppo' is not there yet: stages sft, pt, dpo, kto and rm train and evaluate");
}

}  // namespace

const std::string& KeyPlaces::of(std::string_view key) const {
  const auto found = lines.find(key);
  return found == lines.end() ? file : found->second;
}

void check_train_spec(const TrainSpec& spec, const KeyPlaces& places) {
  const Checker check{places};
  check_present(spec, check);
  check_stage(spec, check);
  if (spec.stage == Stage::kDpo) check_preference(spec, check);
  if (compares_answers(spec.stage)) check_pairs(spec, check);
  check_method(spec, check);
  check_data(spec, check);
  check_training(spec, check);
  check_there(spec, check);
  check_chat_options(spec.chat, places.file + ": ");
}

}  // namespace hearth
