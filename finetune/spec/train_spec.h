// A training job as LLaMA-Factory's YAML states it: its keys by their own names, typed, with its defaults. What a value
// means is documented there; a comment here says what the name does not. Source: LLaMA-Factory 0.9.6, hparams/, and
// transformers' TrainingArguments.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/loader.h"

namespace hearth {

enum class Stage { kSft, kPretraining, kRewardModel, kPpo, kDpo, kKto };
// Whose examples are two answers to a prompt: chosen and rejected, or of kto the answer itself and another prompt's.
constexpr bool compares_answers(Stage stage) {
  return stage == Stage::kDpo || stage == Stage::kKto || stage == Stage::kRewardModel;
}
enum class FinetuningType { kLora, kFreeze, kFull };
enum class MixStrategy { kConcat, kInterleaveUnder, kInterleaveOver, kInterleaveOnce };
enum class Interval { kNo, kSteps, kEpoch };  // save_strategy, eval_strategy, logging_strategy
enum class SchedulerType {
  kLinear,
  kCosine,
  kCosineWithRestarts,
  kPolynomial,
  kConstant,
  kConstantWithWarmup,
  kInverseSqrt,
  kCosineWithMinLr,
  kWarmupStableDecay
};

// TRL's names; those of LLaMA-Factory are the first six.
enum class PreferenceLoss {
  kSigmoid,
  kHinge,
  kIpo,
  kKtoPair,
  kOrpo,
  kSimpo,
  kRobust,
  kExoPair,
  kNcaPair,
  kBcoPair,
  kSppoHard,
  kAot,
  kAotUnpaired,
  kApoZero,
  kApoDown,
  kDiscopop,
  kSft,
  kSigmoidNorm
};
// Of the difference of two answers' scores, which a divergence makes of their ratios to the reference.
constexpr bool is_of_scores(PreferenceLoss loss) {
  switch (loss) {
    case PreferenceLoss::kSigmoid:
    case PreferenceLoss::kHinge:
    case PreferenceLoss::kIpo:
    case PreferenceLoss::kRobust:
    case PreferenceLoss::kExoPair:
    case PreferenceLoss::kDiscopop:
    case PreferenceLoss::kSigmoidNorm:
      return true;
    default:
      return false;
  }
}

// How far an answer is from the reference, of losses of the difference of two such. TRL's names.
enum class Divergence { kReverseKl, kForwardKl, kJensenShannon, kAlpha };

// Sizes, in pixels, to which pictures are brought before the model's own processor sees them.
struct PixelLimits {
  int64_t most = int64_t{768} * 768, least = int64_t{32} * 32;
};

struct DataSpec {
  std::vector<std::string> dataset, eval_dataset;
  std::filesystem::path dataset_dir = "data";
  std::filesystem::path media_dir = {};  // empty: dataset_dir
  int cutoff_len = 2048;
  bool train_on_prompt = false, mask_history = false;
  bool streaming = false;
  int buffer_size = 16384;
  MixStrategy mix_strategy = MixStrategy::kConcat;
  std::vector<double> interleave_probs;
  bool overwrite_cache = false;
  int preprocessing_batch_size = 1000;  // rows that packing chooses among
  std::optional<int64_t> max_samples;   // of each dataset, the first
  double val_size = 0;                  // from 1 on a count, a whole number; below 1 a fraction
  bool eval_on_each_dataset = false;
  std::optional<bool> packing;  // unset: in pretraining only
  bool neat_packing = false;    // implies packing
  bool ignore_pad_token_for_loss = true;
  bool split_special_tokens = false;
  std::filesystem::path tokenized_path = {};
  PixelLimits pixel_limits;
  bool packs(Stage stage) const { return neat_packing || packing.value_or(stage == Stage::kPretraining); }
};

struct LoraSpec {
  int rank = 8;
  int alpha = 0;  // as given, or 2 * rank
  float dropout = 0;
  std::vector<std::string> target = {"all"};
  std::vector<std::string> additional_target;  // modules trained and saved in full
  std::optional<float> loraplus_lr_ratio;
  float loraplus_lr_embedding = 1e-6f;
  bool use_rslora = false, use_dora = false;
  bool pissa_init = false, pissa_convert = false;
  int pissa_iter = 16;  // of the fast SVD; -1: the exact one
  bool create_new_adapter = false;
};

struct FreezeSpec {
  int trainable_layers = 2;  // the last ones; negative: the first ones
  std::vector<std::string> trainable_modules = {"all"};
  std::vector<std::string> extra_modules;
};

// Parts of a model that sees which are not trained.
struct FrozenParts {
  bool tower = true, projector = true, language = false;
};

// Of stages dpo and kto.
struct PreferenceSpec {
  std::vector<PreferenceLoss> losses = {PreferenceLoss::kSigmoid};  // added up
  std::vector<double> loss_weights = {};                            // of each; empty: 1
  double beta = 0.1;
  double ftx = 0;              // of the chosen answer's own loss, which is added
  double bco_weight = 0;       // of bco_pair from a running baseline, which is mixed in
  double label_smoothing = 0;  // of sigmoid, robust, exo_pair, aot, aot_unpaired
  double simpo_gamma = 0.5, discopop_tau = 0.05;
  // Of an answer's tokens beyond the length of the other one; unset: 1.
  std::optional<double> ld_alpha = {};
  Divergence divergence = Divergence::kReverseKl;
  double alpha_divergence_coef = 0.5;
  bool use_weighting = false;  // each pair by how likely the policy finds it (WPO)
  double kto_chosen_weight = 1, kto_rejected_weight = 1;
  std::string ref_model = {};                        // empty: the model itself
  std::vector<std::string> ref_model_adapters = {};  // on it; empty: none
  bool precompute_ref_log_probs = true;  // the reference's log-probabilities are computed once and kept on disk

  bool has(PreferenceLoss loss) const { return std::find(losses.begin(), losses.end(), loss) != losses.end(); }
  bool has_reference() const { return !has(PreferenceLoss::kOrpo) && !has(PreferenceLoss::kSimpo); }
};

struct TrainingSpec {
  std::filesystem::path output_dir;
  bool overwrite_output_dir = false;
  bool do_train = false, do_eval = false, do_predict = false, predict_with_generate = false;
  int per_device_train_batch_size = 8, per_device_eval_batch_size = 8, gradient_accumulation_steps = 1;
  double learning_rate = 5e-5, weight_decay = 0, adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
  double max_grad_norm = 1;  // 0: no clipping
  double num_train_epochs = 3;
  int64_t max_steps = -1;  // above 0 it wins over num_train_epochs
  SchedulerType lr_scheduler_type = SchedulerType::kLinear;
  std::map<std::string, double>
      lr_scheduler_kwargs;  // num_cycles, power, lr_end, min_lr, min_lr_rate, num_decay_steps ...
  double warmup_ratio = 0;  // of all steps
  double warmup_steps = 0;  // below 1 a ratio; above 0 it wins over warmup_ratio
  bool bf16 = false;        // products in bfloat16 (bf16, pure_bf16 or fp16 given): on every CPU
  int64_t seed = 42;
  std::optional<int64_t> data_seed;
  bool disable_shuffling = false, group_by_length = false;
  Interval logging_strategy = Interval::kSteps, save_strategy = Interval::kSteps, eval_strategy = Interval::kNo;
  // Below 1 a ratio of all steps, else whole numbers.
  double logging_steps = 500, save_steps = 500;
  std::optional<double> eval_steps;  // set where eval_strategy is steps
  bool logging_first_step = false, eval_on_start = false;
  std::optional<int> save_total_limit;
  bool save_only_model = false;
  bool load_best_model_at_end = false;
  std::string metric_for_best_model = "loss";  // with or without "eval_"
  std::optional<bool> greater_is_better;       // unset: false for names that end in "loss"
  std::optional<int> early_stopping_steps;     // evaluations without progress
  std::vector<std::string> report_to;          // tensorboard, mlflow, wandb
  std::string run_name;
  std::optional<std::string> resume_from_checkpoint;  // a path; "true": the last; "false": start anew
  std::optional<float> neftune_noise_alpha;
  float label_smoothing_factor = 0;
  bool include_num_input_tokens_seen = false, include_effective_tokens_per_second = false;
  bool plot_loss = false, compute_accuracy = false;
  bool gradient_checkpointing = true;  // allowed (disable_gradient_checkpointing: false); used when memory asks for it
};

// Of do_predict. What is unset is what LLaMA-Factory has: temperature 0.95, top_p 0.7, top_k 50, repetition_penalty 1,
// max_new_tokens 1024.
struct GenerationSpec {
  std::optional<bool> do_sample;
  std::optional<float> temperature, top_p, repetition_penalty;
  std::optional<int> top_k, max_new_tokens;
  ComputeDtype infer_dtype = ComputeDtype::kAuto;

  // Only where it is asked for; LLaMA-Factory samples unless do_sample is false, and scores differ from run to run.
  bool samples() const { return do_sample.value_or(temperature.has_value()) && temperature.value_or(0.95f) > 0; }
};

struct TrainSpec {
  std::string model_name_or_path;
  std::vector<std::string> adapter_name_or_path;  // merged in order, the last one trained on
  std::filesystem::path cache_dir;
  ChatOptions chat;  // template, default_system, tool_format, enable_thinking, preserve_thinking
  Stage stage = Stage::kSft;
  FinetuningType finetuning_type = FinetuningType::kLora;
  DataSpec data;
  LoraSpec lora;
  FreezeSpec freeze;
  FrozenParts frozen;
  PreferenceSpec preference;
  TrainingSpec training;
  GenerationSpec generation;
  // Each of one line, to be shown once: keys of GPUs, keys without effect.
  std::vector<std::string> warnings;
};

}  // namespace hearth
