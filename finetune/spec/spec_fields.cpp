#include "finetune/spec/spec_fields.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "finetune/spec/chat_keys.h"
#include "finetune/spec/field_makers.h"
#include "finetune/spec/model_reference.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

constexpr int kMaxInt = std::numeric_limits<int>::max();
constexpr int64_t kMaxSeed = 0xffffffff;  // numpy's
constexpr double kLarge = 1e9;
constexpr double kBelowOne = 0.9999999;

constexpr std::pair<std::string_view, PreferenceLoss> kPreferenceLosses[] = {
    {"sigmoid", PreferenceLoss::kSigmoid},
    {"hinge", PreferenceLoss::kHinge},
    {"ipo", PreferenceLoss::kIpo},
    {"kto_pair", PreferenceLoss::kKtoPair},
    {"orpo", PreferenceLoss::kOrpo},
    {"simpo", PreferenceLoss::kSimpo},
    {"robust", PreferenceLoss::kRobust},
    {"exo_pair", PreferenceLoss::kExoPair},
    {"nca_pair", PreferenceLoss::kNcaPair},
    {"bco_pair", PreferenceLoss::kBcoPair},
    {"sppo_hard", PreferenceLoss::kSppoHard},
    {"aot", PreferenceLoss::kAot},
    {"aot_unpaired", PreferenceLoss::kAotUnpaired},
    {"apo_zero", PreferenceLoss::kApoZero},
    {"apo_down", PreferenceLoss::kApoDown},
    {"discopop", PreferenceLoss::kDiscopop},
    {"sft", PreferenceLoss::kSft},
    {"sigmoid_norm", PreferenceLoss::kSigmoidNorm}};
constexpr std::pair<std::string_view, Divergence> kDivergences[] = {{"reverse_kl", Divergence::kReverseKl},
                                                                    {"forward_kl", Divergence::kForwardKl},
                                                                    {"js_divergence", Divergence::kJensenShannon},
                                                                    {"alpha_divergence", Divergence::kAlpha}};
constexpr std::pair<std::string_view, Stage> kStages[] = {{"sft", Stage::kSft},        {"pt", Stage::kPretraining},
                                                          {"rm", Stage::kRewardModel}, {"ppo", Stage::kPpo},
                                                          {"dpo", Stage::kDpo},        {"kto", Stage::kKto}};
constexpr std::pair<std::string_view, FinetuningType> kFinetuningTypes[] = {
    {"lora", FinetuningType::kLora}, {"freeze", FinetuningType::kFreeze}, {"full", FinetuningType::kFull}};
constexpr std::pair<std::string_view, MixStrategy> kMixStrategies[] = {
    {"concat", MixStrategy::kConcat},
    {"interleave_under", MixStrategy::kInterleaveUnder},
    {"interleave_over", MixStrategy::kInterleaveOver},
    {"interleave_once", MixStrategy::kInterleaveOnce}};
constexpr std::pair<std::string_view, Interval> kIntervals[] = {
    {"no", Interval::kNo}, {"steps", Interval::kSteps}, {"epoch", Interval::kEpoch}};
constexpr std::pair<std::string_view, SchedulerType> kSchedulerTypes[] = {
    {"linear", SchedulerType::kLinear},
    {"cosine", SchedulerType::kCosine},
    {"cosine_with_restarts", SchedulerType::kCosineWithRestarts},
    {"polynomial", SchedulerType::kPolynomial},
    {"constant", SchedulerType::kConstant},
    {"constant_with_warmup", SchedulerType::kConstantWithWarmup},
    {"inverse_sqrt", SchedulerType::kInverseSqrt},
    {"cosine_with_min_lr", SchedulerType::kCosineWithMinLr},
    {"warmup_stable_decay", SchedulerType::kWarmupStableDecay}};

template <class E>
std::string_view name_among(Choices<E> choices, E value) {
  for (const auto& choice : choices)
    if (choice.second == value) return choice.first;
  throw internal_error("a choice has no name");
}

// Of one arithmetic; the 8-bit ones keep their state in fewer bits, which hearth does not.
constexpr std::string_view kAdamwNames[] = {"adamw_torch",           "adamw_torch_fused", "adamw_torch_xla",
                                            "adamw_torch_npu_fused", "adamw_hf",          "adamw_apex_fused",
                                            "paged_adamw",           "paged_adamw_32bit", "adamw_8bit",
                                            "adamw_bnb_8bit",        "paged_adamw_8bit"};
constexpr std::string_view kReports[] = {"tensorboard", "mlflow", "wandb"};

SpecField chat_field(std::string_view key, TrainSpec& spec, std::function<std::string()> text) {
  return {key, [&spec](const YamlEntry& entry) { read_chat_key(entry, spec.chat); }, std::move(text)};
}

void add_chat_fields(TrainSpec& spec, std::vector<SpecField>& out) {
  SlotTemplateOptions& options = spec.chat.options;
  const auto or_null = [](bool given, std::string_view value) { return given ? yaml_text(value) : "null"; };
  out.push_back(chat_field("template", spec, [&spec, or_null] {
    return or_null(!spec.chat.template_name.empty(), spec.chat.template_name);
  }));
  out.push_back(chat_field("default_system", spec, [&options, or_null] {
    return or_null(options.default_system.has_value(), options.default_system.value_or(""));
  }));
  out.push_back(chat_field("tool_format", spec, [&options, or_null] {
    return options.tool_format ? or_null(true, tool_format_name(*options.tool_format)) : "null";
  }));
  out.push_back(chat_field("enable_thinking", spec, [&options] {
    return options.enable_thinking ? yaml_text(*options.enable_thinking) : "null";
  }));
  out.push_back(chat_field("preserve_thinking", spec, [&options] { return yaml_text(options.preserve_thinking); }));
}

SpecField scheduler_kwargs(std::string_view key, std::map<std::string, double>& value) {
  return {key,
          [&value](const YamlEntry& entry) {
            value.clear();
            for (const YamlEntry& inner : yaml_mapping(entry)) {
              const bool default_shape = (inner.key == "warmup_type" && yaml_string(inner) == "linear") ||
                                         (inner.key == "decay_type" && yaml_string(inner) == "cosine");
              if (!inner.is_null() && !default_shape) value[inner.key] = yaml_float(inner, -kLarge, kLarge);
            }
          },
          [&value] {
            std::vector<std::string> parts;
            parts.reserve(value.size());
            for (const auto& [name, number] : value)
              parts.push_back(fmt::format("{}: {}", yaml_text(name), yaml_text(number)));
            return parts.empty() ? "null" : fmt::format("{{{}}}", fmt::join(parts, ", "));
          }};
}

SpecField report_to(std::string_view key, std::vector<std::string>& value) {
  return {key,
          [&value](const YamlEntry& entry) {
            value.clear();
            for (const std::string& name : yaml_comma_list(entry)) {
              if (name == "none") continue;
              const std::string one = name == "all" ? "tensorboard" : name;
              if (std::find(std::begin(kReports), std::end(kReports), one) == std::end(kReports))
                throw invalid_argument("{}: 'report_to' is '{}'{}, must be none, all or some of {}", entry.where, name,
                                       did_you_mean(name, kReports), fmt::join(kReports, ", "));
              if (std::find(value.begin(), value.end(), one) == value.end()) value.push_back(one);
            }
          },
          [&value] { return value.empty() ? "none" : fmt::format("[{}]", fmt::join(value, ", ")); }};
}

SpecField resume(std::string_view key, std::optional<std::string>& value) {
  return {key,
          [&value](const YamlEntry& entry) {
            const std::string text = yaml_string(entry);
            const bool is_yes = text == "true" || text == "True", is_no = text == "false" || text == "False";
            value = is_yes ? "true" : is_no ? "false" : text;
          },
          [&value] { return value ? yaml_text(*value) : "null"; }};
}

// no, all and non_padding, or true and false: there is no padding here.
SpecField tokens_seen(std::string_view key, bool& value) {
  return {key,
          [&value](const YamlEntry& entry) {
            constexpr std::string_view kNames[] = {"no", "all", "non_padding", "true", "false", "True", "False"};
            const std::string_view name = kNames[read_choice(entry, kNames)];
            value = name != "no" && name != "false" && name != "False";
          },
          [&value] { return value ? "all" : "no"; }};
}

SpecField negated(std::string_view key, bool& value) {
  return {key, [&value](const YamlEntry& entry) { value = !yaml_bool(entry); }, [&value] { return yaml_text(!value); }};
}

void add_lora_fields(TrainSpec& spec, std::vector<SpecField>& out) {
  LoraSpec& lora = spec.lora;
  out.push_back(field("lora_rank", lora.rank, IntRange{1, 65536}));
  out.push_back(field("lora_alpha", lora.alpha, IntRange{0, kMaxInt}));
  out.push_back(field("lora_dropout", lora.dropout, Range{0, 0.99}));
  out.push_back(field("lora_target", lora.target));
  out.push_back(field("additional_target", lora.additional_target));
  out.push_back(field("loraplus_lr_ratio", lora.loraplus_lr_ratio, Range{0, kLarge}));
  out.push_back(field("loraplus_lr_embedding", lora.loraplus_lr_embedding, Range{0, kLarge}));
  out.push_back(field("use_rslora", lora.use_rslora));
  out.push_back(field("use_dora", lora.use_dora));
  out.push_back(field("pissa_init", lora.pissa_init));
  out.push_back(field("pissa_iter", lora.pissa_iter, IntRange{-1, 10000}));
  out.push_back(field("create_new_adapter", lora.create_new_adapter));
  FreezeSpec& freeze = spec.freeze;
  out.push_back(field("freeze_trainable_layers", freeze.trainable_layers, IntRange{-kMaxInt, kMaxInt}));
  out.push_back(field("freeze_trainable_modules", freeze.trainable_modules));
  out.push_back(field("freeze_extra_modules", freeze.extra_modules));
  out.push_back(field("freeze_vision_tower", spec.frozen.tower));
  out.push_back(field("freeze_multi_modal_projector", spec.frozen.projector));
  out.push_back(field("freeze_language_model", spec.frozen.language));
}

void add_preference_fields(PreferenceSpec& preference, std::vector<SpecField>& out) {
  out.push_back(choice_list_field("pref_loss", preference.losses, kPreferenceLosses));
  out.push_back(field("loss_weights", preference.loss_weights, Range{0, kLarge}));
  out.push_back(field("pref_beta", preference.beta, Range{1e-9, kLarge}));
  out.push_back(field("pref_ftx", preference.ftx, Range{0, kLarge}));
  out.push_back(field("pref_bco_weight", preference.bco_weight, Range{0, kLarge}));
  out.push_back(field("dpo_label_smoothing", preference.label_smoothing, Range{0, 0.5}));
  out.push_back(field("simpo_gamma", preference.simpo_gamma, Range{0, kLarge}));
  out.push_back(field("discopop_tau", preference.discopop_tau, Range{1e-9, kLarge}));
  out.push_back(field("ld_alpha", preference.ld_alpha, Range{0, 1}));
  out.push_back(choice_field("f_divergence_type", preference.divergence, kDivergences));
  out.push_back(field("f_alpha_divergence_coef", preference.alpha_divergence_coef, Range{0, kLarge}));
  out.push_back(field("use_weighting", preference.use_weighting));
  out.push_back(field("kto_chosen_weight", preference.kto_chosen_weight, Range{0, kLarge}));
  out.push_back(field("kto_rejected_weight", preference.kto_rejected_weight, Range{0, kLarge}));
  out.push_back(field("ref_model", preference.ref_model));
  out.push_back(field("ref_model_adapters", preference.ref_model_adapters));
}

void add_data_fields(TrainSpec& spec, std::vector<SpecField>& out) {
  DataSpec& data = spec.data;
  out.push_back(field("dataset", data.dataset));
  out.push_back(field("dataset_dir", data.dataset_dir));
  out.push_back(field("media_dir", data.media_dir));
  out.push_back(field("cutoff_len", data.cutoff_len, IntRange{2, 1 << 26}));
  out.push_back(field("train_on_prompt", data.train_on_prompt));
  out.push_back(field("mask_history", data.mask_history));
  out.push_back(field("streaming", data.streaming));
  out.push_back(field("buffer_size", data.buffer_size, IntRange{1, kMaxInt}));
  out.push_back(choice_field("mix_strategy", data.mix_strategy, kMixStrategies));
  out.push_back(field("interleave_probs", data.interleave_probs, Range{0, 1}));
  out.push_back(field("preprocessing_batch_size", data.preprocessing_batch_size, IntRange{1, kMaxInt}));
  out.push_back(field("max_samples", data.max_samples, IntRange{1, std::numeric_limits<int64_t>::max()}));
  out.push_back(field("val_size", data.val_size, Range{0, kLarge}));
  out.push_back(field("packing", data.packing));
  out.push_back(field("neat_packing", data.neat_packing));
  out.push_back(field("ignore_pad_token_for_loss", data.ignore_pad_token_for_loss));
  out.push_back(field("split_special_tokens", data.split_special_tokens));
  out.push_back(field("tokenized_path", data.tokenized_path));
  out.push_back(field("image_max_pixels", data.pixel_limits.most, IntRange{1, int64_t{1} << 26}));
  out.push_back(field("image_min_pixels", data.pixel_limits.least, IntRange{0, int64_t{1} << 26}));
}

void add_optimisation_fields(TrainSpec& spec, std::vector<SpecField>& out) {
  TrainingSpec& training = spec.training;
  out.push_back(field("per_device_train_batch_size", training.per_device_train_batch_size, IntRange{1, kMaxInt}));
  out.push_back(field("gradient_accumulation_steps", training.gradient_accumulation_steps, IntRange{1, kMaxInt}));
  out.push_back(field("learning_rate", training.learning_rate, Range{0, 1000}));
  out.push_back(field("weight_decay", training.weight_decay, Range{0, 1000}));
  out.push_back(field("adam_beta1", training.adam_beta1, Range{0, kBelowOne}));
  out.push_back(field("adam_beta2", training.adam_beta2, Range{0, kBelowOne}));
  out.push_back(field("adam_epsilon", training.adam_epsilon, Range{0, 1}));
  out.push_back(field("max_grad_norm", training.max_grad_norm, Range{0, kLarge}));
  out.push_back(field("num_train_epochs", training.num_train_epochs, Range{1e-6, 1e6}));
  out.push_back(field("max_steps", training.max_steps, IntRange{-1, int64_t{1} << 40}));
  out.push_back(choice_field("lr_scheduler_type", training.lr_scheduler_type, kSchedulerTypes));
  out.push_back(scheduler_kwargs("lr_scheduler_kwargs", training.lr_scheduler_kwargs));
  out.push_back(field("warmup_ratio", training.warmup_ratio, Range{0, 1}));
  out.push_back(field("warmup_steps", training.warmup_steps, Range{0, kLarge}));
  out.push_back(field("bf16", training.bf16));
  out.push_back(field("seed", training.seed, IntRange{0, kMaxSeed}));
  out.push_back(field("data_seed", training.data_seed, IntRange{0, kMaxSeed}));
  out.push_back(field("disable_shuffling", training.disable_shuffling));
  out.push_back(field("group_by_length", training.group_by_length));
  out.push_back(field("neftune_noise_alpha", training.neftune_noise_alpha, Range{0, kLarge}));
  out.push_back(field("label_smoothing_factor", training.label_smoothing_factor, Range{0, 1}));
}

void add_generation_fields(GenerationSpec& generation, std::vector<SpecField>& out) {
  out.push_back(field("do_sample", generation.do_sample));
  out.push_back(field("temperature", generation.temperature, Range{0, 2}));
  out.push_back(field("top_p", generation.top_p, Range{0, 1}));
  out.push_back(field("top_k", generation.top_k, IntRange{0, 1 << 30}));
  out.push_back(field("repetition_penalty", generation.repetition_penalty, Range{0.01, 100}));
  out.push_back(field("max_new_tokens", generation.max_new_tokens, IntRange{1, 1 << 30}));
  out.push_back(infer_dtype_field(generation.infer_dtype));
}

void add_saving_fields(TrainingSpec& training, std::vector<SpecField>& out) {
  out.push_back(field("output_dir", training.output_dir));
  out.push_back(field("overwrite_output_dir", training.overwrite_output_dir));
  out.push_back(resume("resume_from_checkpoint", training.resume_from_checkpoint));
  out.push_back(choice_field("save_strategy", training.save_strategy, kIntervals));
  out.push_back(field("save_steps", training.save_steps, Range{0, kLarge}));
  out.push_back(field("save_total_limit", training.save_total_limit, IntRange{-1, kMaxInt}));
  out.push_back(field("save_only_model", training.save_only_model));
  out.push_back(field("load_best_model_at_end", training.load_best_model_at_end));
  out.push_back(field("metric_for_best_model", training.metric_for_best_model));
  out.push_back(field("greater_is_better", training.greater_is_better));
  out.push_back(field("early_stopping_steps", training.early_stopping_steps, IntRange{1, kMaxInt}));
}

void add_reporting_fields(TrainingSpec& training, std::vector<SpecField>& out) {
  out.push_back(choice_field("logging_strategy", training.logging_strategy, kIntervals));
  out.push_back(field("logging_steps", training.logging_steps, Range{0, kLarge}));
  out.push_back(field("logging_first_step", training.logging_first_step));
  out.push_back(choice_field("eval_strategy", training.eval_strategy, kIntervals));
  out.push_back(field("eval_steps", training.eval_steps, Range{0, kLarge}));
  out.push_back(field("eval_on_start", training.eval_on_start));
  out.push_back(field("per_device_eval_batch_size", training.per_device_eval_batch_size, IntRange{1, kMaxInt}));
  out.push_back(field("compute_accuracy", training.compute_accuracy));
  out.push_back(report_to("report_to", training.report_to));
  out.push_back(field("run_name", training.run_name));
  out.push_back(field("plot_loss", training.plot_loss));
  out.push_back(tokens_seen("include_num_input_tokens_seen", training.include_num_input_tokens_seen));
  out.push_back(field("include_effective_tokens_per_second", training.include_effective_tokens_per_second));
}

}  // namespace

std::string_view name_of(PreferenceLoss loss) { return name_among<PreferenceLoss>(kPreferenceLosses, loss); }
std::vector<std::string_view> names_of(bool (*has)(PreferenceLoss)) {
  std::vector<std::string_view> names;
  for (const auto& [name, loss] : kPreferenceLosses)
    if (has(loss)) names.push_back(name);
  return names;
}
std::string_view name_of(Stage stage) { return name_among<Stage>(kStages, stage); }
std::string_view name_of(FinetuningType type) { return name_among<FinetuningType>(kFinetuningTypes, type); }

std::vector<SpecField> result_fields(TrainSpec& spec) {
  std::vector<SpecField> out;
  out.push_back(field("model_name_or_path", spec.model_name_or_path));
  out.push_back(field("adapter_name_or_path", spec.adapter_name_or_path));
  out.push_back(choice_field("stage", spec.stage, kStages));
  out.push_back(choice_field("finetuning_type", spec.finetuning_type, kFinetuningTypes));
  add_lora_fields(spec, out);
  add_preference_fields(spec.preference, out);
  add_chat_fields(spec, out);
  add_data_fields(spec, out);
  add_optimisation_fields(spec, out);
  return out;
}

std::vector<SpecField> run_fields(TrainSpec& spec) {
  TrainingSpec& training = spec.training;
  std::vector<SpecField> out;
  out.push_back(field("cache_dir", spec.cache_dir));
  out.push_back(field("do_train", training.do_train));
  out.push_back(field("do_eval", training.do_eval));
  out.push_back(field("do_predict", training.do_predict));
  out.push_back(field("predict_with_generate", training.predict_with_generate));
  out.push_back(field("eval_dataset", spec.data.eval_dataset));
  out.push_back(field("eval_on_each_dataset", spec.data.eval_on_each_dataset));
  out.push_back(field("overwrite_cache", spec.data.overwrite_cache));
  out.push_back(field("pissa_convert", spec.lora.pissa_convert));
  out.push_back(field("precompute_ref_log_probs", spec.preference.precompute_ref_log_probs));
  out.push_back(negated("disable_gradient_checkpointing", training.gradient_checkpointing));
  add_generation_fields(spec.generation, out);
  add_saving_fields(training, out);
  add_reporting_fields(training, out);
  return out;
}

std::vector<SpecField> SpecAliases::fields(TrainSpec& spec) {
  const auto optim = [&spec](const YamlEntry& entry) {
    const std::string_view name = kAdamwNames[read_choice(entry, kAdamwNames)];
    if (name.ends_with("8bit"))
      spec.warnings.push_back(
          fmt::format("{}: optim: {}: AdamW whose state hearth keeps in 32 bits", entry.where, name));
  };
  const auto sampling = [&spec](const YamlEntry& entry) {
    constexpr std::string_view kNames[] = {"random", "sequential", "group_by_length"};
    const std::string_view name = kNames[read_choice(entry, kNames)];
    if (name == "sequential") spec.training.disable_shuffling = true;
    if (name == "group_by_length") spec.training.group_by_length = true;
  };
  const auto quantization = [&spec](const YamlEntry& entry) {
    yaml_int(entry, 1, 16);
    spec.warnings.push_back(fmt::format(
        "{}: quantization_bit: a model is trained on as its file has it; name a quantised GGUF file to train on fewer "
        "bits (QLoRA)",
        entry.where));
  };
  return {field("model_revision", model_revision),
          field("fp16", fp16),
          field("pure_bf16", pure_bf16),
          {"optim", optim, {}},
          {"train_sampling_strategy", sampling, {}},
          {"quantization_bit", quantization, {}}};
}

void SpecAliases::resolve(TrainSpec& spec) const {
  TrainingSpec& training = spec.training;
  spec.model_name_or_path = with_revision(spec.model_name_or_path, model_revision);
  if (fp16 || pure_bf16) training.bf16 = true;
  if (training.metric_for_best_model.empty()) training.metric_for_best_model = "loss";
  if (spec.data.dataset_dir.empty()) spec.data.dataset_dir = ".";
  if (spec.lora.alpha == 0) spec.lora.alpha = 2 * spec.lora.rank;
  if (training.save_total_limit && *training.save_total_limit <= 0) training.save_total_limit.reset();
  // As transformers has it.
  if (training.eval_strategy != Interval::kNo) training.do_eval = true;
  if (training.eval_strategy == Interval::kSteps && training.eval_steps.value_or(0) == 0)
    training.eval_steps = training.logging_steps;
}

}  // namespace hearth
