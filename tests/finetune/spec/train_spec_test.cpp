// Jobs as LLaMA-Factory's YAML states them: what is read, what is refused with which words, and that a job written
// back is the same job. The key list is LLaMA-Factory's own (tests/golden/make_llamafactory_keys.py).
#include "finetune/spec/train_spec.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/spec/load_train_spec.h"
#include "finetune/spec/train_spec_text.h"
#include "runtime/base/error.h"
#include "templates/llamafactory/tool_format.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Three lines that every job needs.
constexpr const char* kLeast = "model_name_or_path: m\noutput_dir: o\ndo_train: true\n";
constexpr const char* kJob = "model_name_or_path: m\noutput_dir: o\ndo_train: true\ndataset: d\n";

TrainSpec read(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_train_spec(text, "t.yaml", overrides);
}

std::string error_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    read(text, overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(TrainSpec, LoraSft) {
  const TrainSpec spec = read(R"(
### model
model_name_or_path: org/name
model_revision: v1
trust_remote_code: true

### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 16
lora_target: q_proj, v_proj
loraplus_lr_ratio: 16.0
lr_scheduler_kwargs: {num_cycles: 0.5}

### dataset
dataset: identity,alpaca_en_demo
template: llama3
cutoff_len: 1024
max_samples: 1000
preprocessing_num_workers: 16
dataloader_num_workers: 4

### output
output_dir: saves/x/lora/sft
logging_steps: 10
save_steps: 500
plot_loss: true
overwrite_output_dir: true
save_only_model: false
report_to: none  # choices: [none, wandb, tensorboard, swanlab, mlflow]

### train
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
resume_from_checkpoint: null

### eval
val_size: 0.1
per_device_eval_batch_size: 1
eval_strategy: steps
eval_steps: 250
)");
  EXPECT_EQ(spec.model_name_or_path, "org/name@v1");
  EXPECT_EQ(spec.lora.rank, 16);
  EXPECT_EQ(spec.lora.alpha, 32);
  EXPECT_THAT(spec.lora.target, ElementsAre("q_proj", "v_proj"));
  EXPECT_EQ(spec.lora.loraplus_lr_ratio, 16.0f);
  EXPECT_THAT(spec.data.dataset, ElementsAre("identity", "alpaca_en_demo"));
  EXPECT_EQ(spec.data.max_samples, 1000);
  EXPECT_EQ(spec.chat.template_name, "llama3");
  EXPECT_EQ(spec.training.learning_rate, 1e-4);
  EXPECT_EQ(spec.training.lr_scheduler_type, SchedulerType::kCosine);
  EXPECT_THAT(spec.training.lr_scheduler_kwargs, ElementsAre(testing::Pair("num_cycles", 0.5)));
  EXPECT_EQ(spec.training.warmup_ratio, 0.1);
  EXPECT_EQ(spec.data.val_size, 0.1);
  EXPECT_TRUE(spec.training.bf16 && spec.training.do_eval && spec.training.plot_loss);
  EXPECT_THAT(spec.training.report_to, IsEmpty());
  EXPECT_THAT(spec.warnings, ElementsAre("t.yaml: without effect on a CPU: dataloader_num_workers, ddp_timeout"));
}

TEST(TrainSpec, FullFreezeAndPretraining) {
  const std::string rest = "output_dir: o\ndo_train: true\n";
  const TrainSpec full = read(rest + R"(
model_name_or_path: qwen3:0.6b-fp16
finetuning_type: full
deepspeed: examples/deepspeed/ds_z3_config.json
fsdp_config: {fsdp_version: 2}
dataset: [a, "b,c"]
pure_bf16: true
)");
  EXPECT_EQ(full.finetuning_type, FinetuningType::kFull);
  EXPECT_THAT(full.data.dataset, ElementsAre("a", "b,c"));
  EXPECT_THAT(full.warnings, ElementsAre("t.yaml: without effect on a CPU: deepspeed, fsdp_config"));

  const TrainSpec freeze = read(rest + R"(
model_name_or_path: base.gguf
finetuning_type: freeze
freeze_trainable_layers: -8
freeze_trainable_modules: mlp,self_attn
freeze_extra_modules: embed_tokens
dataset: d
)");
  EXPECT_EQ(freeze.freeze.trainable_layers, -8);
  EXPECT_THAT(freeze.freeze.trainable_modules, ElementsAre("mlp", "self_attn"));
  EXPECT_THAT(freeze.freeze.extra_modules, ElementsAre("embed_tokens"));

  const TrainSpec pretraining = read(rest + "model_name_or_path: ./m\nstage: pt\ndataset: c4_demo\nmax_steps: 50\n");
  EXPECT_EQ(pretraining.stage, Stage::kPretraining);
  EXPECT_EQ(pretraining.training.max_steps, 50);
  EXPECT_TRUE(pretraining.data.packs(pretraining.stage));
}

TEST(TrainSpec, Defaults) {
  const TrainSpec spec = read(kJob);
  EXPECT_FALSE(spec.data.packs(Stage::kSft));
  EXPECT_TRUE(spec.data.packs(Stage::kPretraining));
  EXPECT_EQ(spec.training.lr_scheduler_type, SchedulerType::kLinear);
  EXPECT_EQ(spec.training.resume_from_checkpoint, std::nullopt);
  EXPECT_TRUE(spec.training.gradient_checkpointing);
  EXPECT_EQ(to_yaml(read(std::string(kJob) + "lora_alpha: 16\nlora_rank: null\nseed:\n")), to_yaml(spec));
}

struct Meaning {
  const char* yaml;
  bool (*holds)(const TrainSpec&);
};

TEST(TrainSpec, WhatValuesMean) {
  const Meaning meanings[] = {
      {"fp16: true", [](const TrainSpec& s) { return s.training.bf16; }},
      {"pure_bf16: true\nbf16: false", [](const TrainSpec& s) { return s.training.bf16; }},
      {"warmup_steps: 0.05", [](const TrainSpec& s) { return s.training.warmup_steps == 0.05; }},
      {"learning_rate: 1.0e-4", [](const TrainSpec& s) { return s.training.learning_rate == 1e-4; }},
      {"learning_rate: '2e-5'", [](const TrainSpec& s) { return s.training.learning_rate == 2e-5; }},
      {"save_total_limit: 0", [](const TrainSpec& s) { return !s.training.save_total_limit; }},
      {"resume_from_checkpoint: true", [](const TrainSpec& s) { return s.training.resume_from_checkpoint == "true"; }},
      {"resume_from_checkpoint: o/checkpoint-5",
       [](const TrainSpec& s) { return s.training.resume_from_checkpoint == "o/checkpoint-5"; }},
      {"report_to: all",
       [](const TrainSpec& s) { return s.training.report_to == std::vector<std::string>{"tensorboard"}; }},
      {"report_to: [wandb, mlflow, wandb]", [](const TrainSpec& s) { return s.training.report_to.size() == 2; }},
      {"train_sampling_strategy: group_by_length", [](const TrainSpec& s) { return s.training.group_by_length; }},
      {"train_sampling_strategy: sequential", [](const TrainSpec& s) { return s.training.disable_shuffling; }},
      {"include_num_input_tokens_seen: non_padding",
       [](const TrainSpec& s) { return s.training.include_num_input_tokens_seen; }},
      {"include_num_input_tokens_seen: true",
       [](const TrainSpec& s) { return s.training.include_num_input_tokens_seen; }},
      {"disable_gradient_checkpointing: true", [](const TrainSpec& s) { return !s.training.gradient_checkpointing; }},
      {"lr_scheduler_type: warmup_stable_decay\nlr_scheduler_kwargs: '{\"num_decay_steps\": 5, \"decay_type\": "
       "\"cosine\"}'",
       [](const TrainSpec& s) { return s.training.lr_scheduler_kwargs.at("num_decay_steps") == 5; }},
      {"enable_thinking: null", [](const TrainSpec& s) { return !s.chat.options.enable_thinking; }},
      {"mix_strategy: interleave_over\ninterleave_probs: 0.25,0.75\ndataset_dir: x",
       [](const TrainSpec& s) {
         return s.data.interleave_probs == std::vector<double>{0.25, 0.75};
       }},
      {"val_size: 1\neval_strategy: epoch",
       [](const TrainSpec& s) { return s.training.do_eval && s.data.val_size == 1; }},
      {"val_size: 5\neval_strategy: steps\nlogging_steps: 20",
       [](const TrainSpec& s) { return s.training.eval_steps == 20; }},
      {"optim: paged_adamw_8bit", [](const TrainSpec& s) { return s.warnings.size() == 1; }},
      {"quantization_bit: 4", [](const TrainSpec& s) { return s.warnings.size() == 1; }},
      {"ld_alpha: 0.5\nstage: kto",
       [](const TrainSpec& s) {
         return s.warnings == std::vector<std::string>{"t.yaml:5: 'ld_alpha' has no effect on stage kto"};
       }},
      {"ref_model: other\npref_loss: orpo\nstage: dpo",
       [](const TrainSpec& s) {
         return s.warnings ==
                std::vector<std::string>{"t.yaml:5: 'ref_model' has no effect on stage dpo with this 'pref_loss'"};
       }},
      {"pref_beta: 0.1\npref_loss: sigmoid", [](const TrainSpec& s) { return s.warnings.empty(); }},  // the defaults
      {"ld_alpha: 0.5\npref_ftx: 0.1\nref_model: other\nstage: dpo",
       [](const TrainSpec& s) { return s.warnings.empty() && s.preference.ld_alpha == 0.5; }},
      {"use_unsloth: false\nflash_attn: null", [](const TrainSpec& s) { return s.warnings.empty(); }},
      {"temperature: 0.5\nmax_new_tokens: 5\ninfer_backend: vllm",
       [](const TrainSpec& s) { return s.warnings.empty(); }},
  };
  for (const Meaning& meaning : meanings) {
    const char* dataset = std::string_view(meaning.yaml).starts_with("mix") ? "dataset: a,b\n" : "dataset: d\n";
    EXPECT_TRUE(meaning.holds(read(std::string(kLeast) + dataset + meaning.yaml))) << meaning.yaml;
  }
}

TEST(TrainSpec, OverridesWin) {
  const std::string text = std::string(kJob) + "lr_scheduler_kwargs: {num_cycles: 1, power: 2}\nlora_rank: 4\n";
  const TrainSpec spec = read(text, {"lora_rank=16", "lr_scheduler_kwargs.power=3", "learning_rate=1e-5",
                                     "lr_scheduler_kwargs={lr_end: 0}", "dataset=a,b", "lora_rank=32"});
  EXPECT_EQ(spec.lora.rank, 32);
  EXPECT_EQ(spec.training.learning_rate, 1e-5);
  EXPECT_THAT(spec.data.dataset, ElementsAre("a", "b"));
  EXPECT_EQ(spec.training.lr_scheduler_kwargs,
            (std::map<std::string, double>{{"lr_end", 0}, {"num_cycles", 1}, {"power", 3}}));
  EXPECT_EQ(
      error_of(kJob, {"lora_rnk=1"}),
      "argument 'lora_rnk=1': unknown key 'lora_rnk' (did you mean 'lora_rank'?); ALLOW_EXTRA_ARGS=1 lets it pass");
}

struct Refusal {
  const char* yaml;     // behind kJob, so its first line is line 5
  const char* message;  // behind "t.yaml:5: "
};

void expect_refusals(std::span<const Refusal> refusals, const char* before) {
  const size_t line = 1 + std::count(before, before + std::string_view(before).size(), '\n');
  for (const Refusal& refusal : refusals)
    EXPECT_EQ(error_of(std::string(before) + refusal.yaml + "\n"), fmt::format("t.yaml:{}: {}", line, refusal.message));
}

TEST(TrainSpec, ValuesOfTheWrongKind) {
  const Refusal refusals[] = {
      {"lora_rnak: 8", "unknown key 'lora_rnak' (did you mean 'lora_rank'?); ALLOW_EXTRA_ARGS=1 lets it pass"},
      {"output_dir: p", "'output_dir' is given twice"},
      {"lora_rank: 0", "'lora_rank' is 0, must be from 1 to 65536"},
      {"lora_rank: eight", "'lora_rank' must be a whole number, found 'eight'"},
      {"learning_rate: fast", "'learning_rate' must be a number, found 'fast'"},
      {"learning_rate: .nan", "'learning_rate' must be a number, found '.nan'"},
      {"bf16: maybe", "'bf16' must be true or false, found 'maybe'"},
      {"cutoff_len: [1]", "'cutoff_len' must be a whole number, found a list"},
      {"dataset_dir: {a: b}", "'dataset_dir' must be a text, found a mapping"},
      {"stage: stf", "'stage' is 'stf' (did you mean 'sft'?), must be one of sft, pt, rm, ppo, dpo, kto"},
      {"finetuning_type: oft", "'finetuning_type' is 'oft', must be one of lora, freeze, full"},
      {"save_strategy: best", "'save_strategy' is 'best', must be one of no, steps, epoch"},
      {"lr_scheduler_type: cosin",
       "'lr_scheduler_type' is 'cosin' (did you mean 'cosine'?), must be one of linear, cosine, cosine_with_restarts, "
       "polynomial, constant, constant_with_warmup, inverse_sqrt, cosine_with_min_lr, warmup_stable_decay"},
      {"lr_scheduler_kwargs: [1]", "'lr_scheduler_kwargs' must be a mapping, found a list"},
      {"lr_scheduler_kwargs: {num_cycles: x}", "in 'lr_scheduler_kwargs': 'num_cycles' must be a number, found 'x'"},
      {"lr_scheduler_kwargs: {power: 1, power: 2}", "in 'lr_scheduler_kwargs': 'power' is given twice"},
      {"report_to: tensorbord",
       "'report_to' is 'tensorbord' (did you mean 'tensorboard'?), must be none, all or some of tensorboard, mlflow, "
       "wandb"},
      {"report_to: [swanlab]", "'report_to' is 'swanlab', must be none, all or some of tensorboard, mlflow, wandb"},
      {"template: lama3", "no template 'lama3' (did you mean 'llama3'?); `hearth templates` lists them"},
      {"use_galore: true", "'use_galore: true' is not supported: hearth's optimizer is AdamW: remove the key"},
      {"eval_delay: 2", "'eval_delay: 2' is not supported: every eval_steps counts from the start: remove the key"},
      {"evaluation_strategy: steps", "'evaluation_strategy: steps' is not supported: its name is eval_strategy now"},
      {"rope_scaling: yarn", "'rope_scaling: yarn' is not supported: set rope_scaling in the model's config.json"},
  };
  expect_refusals(refusals, kJob);
  EXPECT_THAT(error_of(std::string(kJob) + "optim: adafactor\n"), HasSubstr("'optim' is 'adafactor', must be one of"));
  EXPECT_THAT(error_of("a: [\n"), HasSubstr("not YAML"));
}

TEST(TrainSpec, KeysThatContradictEachOther) {
  const Refusal of_data[] = {
      {"val_size: 0.1",
       "'val_size' takes a part of 'dataset', which is not given: add it, or use 'eval_dataset' alone"},
  };
  expect_refusals(of_data, kLeast);
  const Refusal refusals[] = {
      {"val_size: 0.1\neval_dataset: e", "'val_size' and 'eval_dataset' both name examples to evaluate on: remove one"},
      {"val_size: 1.5", "'val_size' is a fraction below 1 or a whole number of examples"},
      {"interleave_probs: 1",
       "'interleave_probs' needs 'mix_strategy: interleave_under', 'interleave_over' or 'interleave_once'"},
      {"interleave_probs: 0.5,0.5\nmix_strategy: interleave_once",
       "'interleave_probs' has 2 numbers and 'dataset' 1 names: give each its number"},
      {"interleave_probs: 0.5\nmix_strategy: interleave_once", "'interleave_probs' add up to 0.5, must be 1"},
      {"val_size: 0.1\nstreaming: true\nmax_steps: 1",
       "'streaming' does not know how many examples there are: 'val_size' must be a whole number of them"},
      {"max_samples: 5\nstreaming: true\nmax_steps: 1", "'max_samples' does not go with 'streaming': remove one"},
      {"streaming: true", "'streaming' does not know when an epoch ends: set 'max_steps'"},
      {"mask_history: true\ntrain_on_prompt: true",
       "'mask_history' and 'train_on_prompt' contradict each other: remove one"},
      {"predict_with_generate: true\nstage: pt", "'predict_with_generate' is for 'stage: sft' only: remove it"},
      {"neat_packing: true\nstage: pt", "'neat_packing' is for 'stage: sft' only: remove it"},
      {"train_on_prompt: true\nstage: dpo", "'train_on_prompt' is for 'stage: sft' only: remove it"},
      {"mask_history: true\nstage: kto", "'mask_history' is for 'stage: sft' only: remove it"},
      {"load_best_model_at_end: true\nstage: rm",
       "'load_best_model_at_end' is not for 'stage: rm' and 'stage: ppo': remove it"},
      {"pissa_init: true\nstage: kto",
       "'pissa_init' changes the reference model of 'stage: kto' and 'stage: ppo': remove it"},
      {"do_predict: true\nval_size: 2",
       "'do_predict' writes what the model generates: add 'predict_with_generate: true'"},
      {"do_eval: true", "there is nothing to evaluate on: add 'eval_dataset' or 'val_size'"},
      {"eval_strategy: epoch", "there is nothing to evaluate on: add 'eval_dataset' or 'val_size'"},
      {"compute_accuracy: true\npredict_with_generate: true\ndo_predict: true\nval_size: 2",
       "'compute_accuracy' and 'predict_with_generate' do not go together: remove one"},
      {"adapter_name_or_path: a\nfinetuning_type: full",
       "'adapter_name_or_path' is for 'finetuning_type: lora' only: remove it"},
      {"quantization_bit: 4\nfinetuning_type: freeze",
       "'quantization_bit' is for 'finetuning_type: lora' only: remove it"},
      {"loraplus_lr_ratio: 16\nfinetuning_type: full",
       "'loraplus_lr_ratio' is for 'finetuning_type: lora' only: remove it"},
      {"use_rslora: true\nfinetuning_type: full", "'use_rslora' is for 'finetuning_type: lora' only: remove it"},
      {"use_dora: true\nfinetuning_type: full", "'use_dora' is for 'finetuning_type: lora' only: remove it"},
      {"pissa_init: true\nfinetuning_type: full", "'pissa_init' is for 'finetuning_type: lora' only: remove it"},
      {"lora_target: []", "'lora_target' names no module: 'all', or names such as q_proj,v_proj"},
      {"freeze_trainable_modules: ','",
       "'freeze_trainable_modules' names no module: 'all', or names such as mlp,self_attn"},
      {"pissa_init: true\nquantization_bit: 4",
       "'pissa_init' changes the model's weights and 'quantization_bit' keeps them: remove one"},
      {"create_new_adapter: true\nadapter_name_or_path: a\nquantization_bit: 8",
       "'create_new_adapter' merges the earlier one into weights that 'quantization_bit' keeps: remove one"},
      {"adapter_name_or_path: a,b\nquantization_bit: 8",
       "'quantization_bit' takes one adapter: merge the others into the model first"},
      {"logging_steps: 0", "'logging_steps' is 0: give a number of steps or set its strategy to 'no'"},
      {"save_steps: 1.5", "'save_steps' is 1.5: a ratio below 1 or a whole number of steps"},
      {"warmup_steps: 2.5", "'warmup_steps' is 2.5: a ratio below 1 or a whole number of steps"},
      {"early_stopping_steps: 3", "'early_stopping_steps' counts evaluations: set 'eval_strategy'"},
      {"load_best_model_at_end: true",
       "'load_best_model_at_end' needs 'eval_strategy' and 'save_strategy' to be the same, steps or epoch"},
      {"load_best_model_at_end: true\neval_strategy: steps\neval_steps: 300\nval_size: 2",
       "'load_best_model_at_end' needs 'save_steps' (500) to be a multiple of 'eval_steps' (300)"},
      {"load_best_model_at_end: true\neval_strategy: steps\neval_steps: 0.1\nval_size: 2",
       "'load_best_model_at_end' needs 'save_steps' (500) to be a multiple of 'eval_steps' (0.1)"},
      {"pref_loss: exo_pair\nstage: dpo",
       "'pref_loss: exo_pair' takes the logarithm of 'dpo_label_smoothing': 0.001 is its paper's value"},
      {"dpo_label_smoothing: 0.5\npref_loss: robust\nstage: dpo",
       "'pref_loss: robust' needs 'dpo_label_smoothing' below 0.5"},
      {"packing: true\nstage: dpo", "'packing' is for stages sft and pt: remove it"},
      {"compute_accuracy: true\nstage: dpo",
       "'compute_accuracy' is for 'stage: sft': accuracies of rewards are always there"},
      {"label_smoothing_factor: 0.1\nstage: dpo",
       "'label_smoothing_factor' is for 'stage: sft': 'dpo_label_smoothing' is that of pairs"},
      {"pref_loss: [sigmoid, orpo]\nstage: dpo",
       "'pref_loss' orpo and simpo have no reference and stand alone: remove the others"},
      {"loss_weights: [1, 2]\nstage: dpo",
       "'loss_weights' has 2 numbers and 'pref_loss' 1 losses: give each its weight"},
      {"use_weighting: true\npref_loss: [sigmoid, aot]\nstage: dpo",
       "'use_weighting' weighs pairs, which 'pref_loss' aot, aot_unpaired and kto_pair take apart: remove one"},
      {"pref_loss: orpo\nuse_weighting: true\nstage: dpo",
       "'pref_loss' orpo and simpo are taken as they are: remove 'use_weighting' and 'loss_weights'"},
      {"pref_bco_weight: 0.5\npref_loss: simpo\nstage: dpo",
       "'pref_bco_weight' compares with a reference, which 'pref_loss' orpo and simpo have not: remove it"},
      {"f_divergence_type: forward_kl\npref_loss: nca_pair\nstage: dpo",
       "'f_divergence_type' is of 'pref_loss' sigmoid, hinge, ipo, robust, exo_pair, discopop, sigmoid_norm: remove it "
       "for the others"},
      {"ref_model_quantization_bit: 4",
       "'ref_model_quantization_bit: 4' is not supported: name a quantised GGUF file as ref_model"},
      {"stage: ppo", "'stage: ppo' is not there yet: stages sft, pt, dpo, kto and rm train and evaluate"},
      {"predict_with_generate: true\nval_size: 2",
       "'predict_with_generate' is how 'do_predict' predicts: add 'do_predict: true', or remove it (evaluations are of "
       "the loss)"},
      {"do_predict: true\nstage: rm", "'do_predict' is for 'stage: sft' only: remove it"},
      {"num_beams: 4", "'num_beams: 4' is not supported: there is no beam search: remove the key"},
  };
  expect_refusals(refusals, kJob);
  read(std::string(kJob) +
       "load_best_model_at_end: true\neval_strategy: steps\neval_steps: 0.1\nsave_steps: 0.3\nval_size: 2");
}

TEST(TrainSpec, PredictionsAreGreedyUnlessSamplingIsAskedFor) {
  const auto samples = [](const std::string& keys) { return read(std::string(kJob) + keys).generation.samples(); };
  EXPECT_FALSE(samples(""));
  EXPECT_FALSE(samples("top_p: 0.7\ntop_k: 50"));
  EXPECT_TRUE(samples("do_sample: true"));
  EXPECT_TRUE(samples("temperature: 0.95"));
  EXPECT_FALSE(samples("temperature: 0"));
  EXPECT_FALSE(samples("temperature: 0.95\ndo_sample: false"));
}

TEST(TrainSpec, WhatEveryJobNeeds) {
  EXPECT_EQ(error_of("output_dir: o\n"),
            "t.yaml: please provide 'model_name_or_path': a GGUF file, a directory, org/name or a name of `hearth "
            "models`");
  EXPECT_EQ(error_of("model_name_or_path: m\n"),
            "t.yaml: please provide 'output_dir': the folder for the adapter, checkpoints and logs");
  EXPECT_EQ(error_of("model_name_or_path: m\noutput_dir: o\n"),
            "t.yaml: there is nothing to do: set 'do_train: true', 'do_eval: true' or 'do_predict: true'");
  EXPECT_EQ(error_of(kLeast), "t.yaml:3: 'do_train' needs 'dataset': names in dataset_info.json of 'dataset_dir'");
  EXPECT_EQ(error_of(std::string(kJob) + "tool_format: qwen\n"),
            "t.yaml: 'tool_format' changes a named template and the checkpoint's own is used: add 'template' or remove "
            "it");
}

TEST(TrainSpec, WrittenBackItIsTheSameJob) {
  const TrainSpec spec = read(std::string(kJob) + R"(
template: qwen3
default_system: "quotes \" and\nlines"
tool_format: mistral
enable_thinking: null
adapter_name_or_path: a,b
additional_target: [embed_tokens]
learning_rate: 3e-7
lr_scheduler_kwargs: {num_cycles: 0.25}
loraplus_lr_ratio: 0.3
packing: true
max_samples: 7
val_size: 0.1
eval_strategy: steps
save_total_limit: 3
run_name: "null"
report_to: [wandb, mlflow]
resume_from_checkpoint: "false"
bf16: true
)");
  const std::string text = to_yaml(spec);
  const TrainSpec again = read(text);
  EXPECT_EQ(to_yaml(again), text);
  EXPECT_EQ(again.training.run_name, "null");
  EXPECT_EQ(again.chat.options.default_system, "quotes \" and\nlines");
  EXPECT_EQ(again.chat.options.tool_format, ToolFormat::kMistralTools);
  EXPECT_EQ(again.lora.loraplus_lr_ratio, 0.3f);
  EXPECT_THAT(text, HasSubstr("learning_rate: 3.0e-07\n"));
  EXPECT_THAT(again.warnings, IsEmpty());
  EXPECT_THAT(differences(spec, again), IsEmpty());
}

TEST(TrainSpec, DifferencesNameWhatChangesTheModel) {
  const TrainSpec before = read(kJob);
  const TrainSpec other = read(std::string(kJob) +
                                   "val_size: 3\nlearning_rate: 1e-4\nlora_rank: 4\nseed: 1\ntemplate: yi\n"
                                   "logging_steps: 7\nsave_steps: 9\nreport_to: wandb\nplot_loss: true\nrun_name: r\n"
                                   "eval_strategy: steps\nper_device_eval_batch_size: 2\noverwrite_output_dir: true\n",
                               {"output_dir=p"});
  EXPECT_THAT(differences(before, other),
              UnorderedElementsAre("val_size", "learning_rate", "lora_rank", "lora_alpha", "seed", "template"));
}

TEST(TrainSpec, ExtraKeysMayPass) {
  ::setenv("ALLOW_EXTRA_ARGS", "1", 1);
  const TrainSpec spec = read(std::string(kJob) + "my_key: 1\n");
  ::unsetenv("ALLOW_EXTRA_ARGS");
  EXPECT_THAT(spec.warnings, ElementsAre("t.yaml:5: unknown key 'my_key'"));
}

}  // namespace
}  // namespace hearth
