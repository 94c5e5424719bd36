#include "finetune/spec/known_keys.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

using enum KeyUse;
using Names = std::string_view[];

constexpr Names kBoth = {"model_name_or_path",
                         "adapter_name_or_path",
                         "model_revision",
                         "template",
                         "default_system",
                         "tool_format",
                         "enable_thinking",
                         "preserve_thinking",
                         "stage",
                         "infer_dtype",
                         "do_sample",
                         "temperature",
                         "top_p",
                         "top_k",
                         "repetition_penalty",
                         "max_new_tokens"};

constexpr Names kOfTraining = {"finetuning_type",
                               "lora_rank",
                               "lora_alpha",
                               "lora_dropout",
                               "lora_target",
                               "additional_target",
                               "loraplus_lr_ratio",
                               "loraplus_lr_embedding",
                               "use_rslora",
                               "use_dora",
                               "pissa_init",
                               "pissa_iter",
                               "pissa_convert",
                               "create_new_adapter",
                               "pref_loss",
                               "pref_beta",
                               "pref_ftx",
                               "loss_weights",
                               "pref_bco_weight",
                               "discopop_tau",
                               "ld_alpha",
                               "f_divergence_type",
                               "f_alpha_divergence_coef",
                               "use_weighting",
                               "kto_chosen_weight",
                               "kto_rejected_weight",
                               "ref_model",
                               "ref_model_adapters",
                               "precompute_ref_log_probs",
                               "dpo_label_smoothing",
                               "simpo_gamma",
                               "freeze_trainable_layers",
                               "freeze_trainable_modules",
                               "freeze_extra_modules",
                               "freeze_vision_tower",
                               "freeze_multi_modal_projector",
                               "freeze_language_model",
                               "dataset",
                               "eval_dataset",
                               "dataset_dir",
                               "media_dir",
                               "image_max_pixels",
                               "image_min_pixels",
                               "cutoff_len",
                               "train_on_prompt",
                               "mask_history",
                               "streaming",
                               "buffer_size",
                               "mix_strategy",
                               "interleave_probs",
                               "overwrite_cache",
                               "preprocessing_batch_size",
                               "max_samples",
                               "val_size",
                               "eval_on_each_dataset",
                               "packing",
                               "neat_packing",
                               "ignore_pad_token_for_loss",
                               "tokenized_path",
                               "output_dir",
                               "overwrite_output_dir",
                               "do_train",
                               "do_eval",
                               "do_predict",
                               "predict_with_generate",
                               "per_device_train_batch_size",
                               "per_device_eval_batch_size",
                               "gradient_accumulation_steps",
                               "learning_rate",
                               "weight_decay",
                               "adam_beta1",
                               "adam_beta2",
                               "adam_epsilon",
                               "optim",
                               "max_grad_norm",
                               "num_train_epochs",
                               "max_steps",
                               "lr_scheduler_type",
                               "lr_scheduler_kwargs",
                               "warmup_ratio",
                               "warmup_steps",
                               "seed",
                               "data_seed",
                               "disable_shuffling",
                               "group_by_length",
                               "train_sampling_strategy",
                               "logging_strategy",
                               "logging_steps",
                               "logging_first_step",
                               "save_strategy",
                               "save_steps",
                               "save_total_limit",
                               "save_only_model",
                               "eval_strategy",
                               "eval_steps",
                               "eval_on_start",
                               "load_best_model_at_end",
                               "metric_for_best_model",
                               "greater_is_better",
                               "early_stopping_steps",
                               "report_to",
                               "run_name",
                               "resume_from_checkpoint",
                               "neftune_noise_alpha",
                               "label_smoothing_factor",
                               "include_num_input_tokens_seen",
                               "include_effective_tokens_per_second",
                               "plot_loss",
                               "compute_accuracy",
                               "disable_gradient_checkpointing"};

// export_format and export_quantization are hearth's own.
constexpr Names kOfExporting = {"export_dir",           "export_size",   "export_device",
                                "export_legacy_format", "export_format", "export_quantization"};

constexpr Names kOfMultipleChoice = {"task", "task_dir", "lang", "n_shot", "batch_size", "save_dir"};
constexpr Names kOfModels = {"model_name_or_path", "adapter_name_or_path", "model_revision",
                             "template",           "default_system",       "tool_format",
                             "enable_thinking",    "preserve_thinking",    "infer_dtype"};

constexpr Names kPrecisions = {"bf16", "fp16", "pure_bf16"};  // training: products in bfloat16

constexpr Names kHardwareOfBoth = {"flash_attn",
                                   "use_unsloth",
                                   "use_unsloth_gc",
                                   "enable_liger_kernel",
                                   "use_v1_kernels",
                                   "use_kt",
                                   "kt_config",
                                   "kt_weight_path",
                                   "kt_expert_checkpoint_path",
                                   "kt_use_lora_experts",
                                   "kt_lora_expert_num",
                                   "kt_lora_expert_intermediate_size",
                                   "quantization_device_map",
                                   "deepspeed",
                                   "fsdp",
                                   "fsdp_config",
                                   "ddp_timeout"};

constexpr Names kHardwareOfTraining = {"dataloader_num_workers",
                                       "dataloader_pin_memory",
                                       "dataloader_persistent_workers",
                                       "dataloader_prefetch_factor",
                                       "dataloader_multiprocessing_context",
                                       "dataloader_in_order",
                                       "ddp_find_unused_parameters",
                                       "ddp_bucket_cap_mb",
                                       "ddp_broadcast_buffers",
                                       "ddp_static_graph",
                                       "ddp_backend",
                                       "ray_num_workers",
                                       "ray_init_kwargs",
                                       "ray_scope",
                                       "master_addr",
                                       "master_port",
                                       "local_rank",
                                       "tf32",
                                       "torch_compile",
                                       "torch_compile_backend",
                                       "torch_compile_mode",
                                       "use_liger_kernel",
                                       "liger_kernel_config",
                                       "torch_empty_cache_steps",
                                       "auto_find_batch_size",
                                       "bf16_full_eval",
                                       "fp16_full_eval",
                                       "fp16_backend",
                                       "fp16_opt_level",
                                       "half_precision_backend",
                                       "use_ipex",
                                       "use_mps_device",
                                       "accelerator_config",
                                       "parallelism_config",
                                       "fsdp_min_num_params",
                                       "fsdp_transformer_layer_cls_to_wrap",
                                       "tpu_num_cores",
                                       "tpu_metrics_debug",
                                       "mp_parameters",
                                       "save_on_each_node",
                                       "enable_jit_checkpoint",
                                       "fp8",
                                       "fp8_backend",
                                       "fp8_enable_fsdp_float8_all_gather",
                                       "enable_torch_profiler",
                                       "profiler_output_dir",
                                       "profiler_wait_steps",
                                       "profiler_warmup_steps",
                                       "profiler_active_steps",
                                       "profiler_repeat",
                                       "profiler_record_shapes",
                                       "profiler_profile_memory",
                                       "profiler_with_stack",
                                       "profile_modules",
                                       "use_mca",
                                       "use_megatron_bridge",
                                       "use_hyper_parallel",
                                       "hyper_parallel_args"};

constexpr Names kHardwareOfInference = {
    "infer_backend",       "vllm_maxlen",    "vllm_gpu_util",       "vllm_enforce_eager", "vllm_max_lora_rank",
    "vllm_config",         "sglang_maxlen",  "sglang_mem_fraction", "sglang_tp_size",     "sglang_config",
    "sglang_lora_backend", "offload_folder", "low_cpu_mem_usage"};

// trust_remote_code: code of a checkpoint is never run. The knobs of what is unsupported say nothing without it.
constexpr Names kNothing = {"trust_remote_code",
                            "use_fast_tokenizer",
                            "use_kv_cache",
                            "hf_hub_token",
                            "ms_hub_token",
                            "om_hub_token",
                            "print_param_status",
                            "quantization_type",
                            "double_quantization",
                            "init_special_tokens",
                            "use_reentrant_gc",
                            "upcast_layernorm",
                            "upcast_lmhead_output",
                            "image_do_pan_and_scan",
                            "crop_to_patches",
                            "video_max_pixels",
                            "video_min_pixels",
                            "video_fps",
                            "video_maxlen",
                            "audio_sampling_rate",
                            "preprocessing_num_workers",
                            "data_shared_file_system",
                            "eval_num_beams",
                            "generation_max_length",
                            "generation_num_beams",
                            "generation_config",
                            "sortish_sampler",
                            "use_cpu",
                            "no_cuda",
                            "gradient_checkpointing",
                            "gradient_checkpointing_kwargs",
                            "activation_checkpointing",
                            "activation_checkpointing_kwargs",
                            "use_cache",
                            "average_tokens_across_devices",
                            "log_on_each_node",
                            "logging_nan_inf_filter",
                            "log_level",
                            "log_level_replica",
                            "disable_tqdm",
                            "project",
                            "trackio_space_id",
                            "trackio_bucket_id",
                            "trackio_static_space_id",
                            "prediction_loss_only",
                            "eval_do_concat_batches",
                            "eval_use_gather_object",
                            "eval_accumulation_steps",
                            "include_for_metrics",
                            "include_inputs_for_metrics",
                            "include_tokens_per_second",
                            "batch_eval_metrics",
                            "hub_token",
                            "hub_private_repo",
                            "hub_model_id",
                            "hub_strategy",
                            "hub_always_push",
                            "hub_revision",
                            "push_to_hub_model_id",
                            "push_to_hub_organization",
                            "push_to_hub_token",
                            "restore_callback_states_from_checkpoint",
                            "full_determinism",
                            "remove_unused_columns",
                            "label_names",
                            "length_column_name",
                            "debug",
                            "skip_memory_metrics",
                            "jit_mode_eval",
                            "past_index",
                            "export_quantization_dataset",
                            "export_quantization_nsamples",
                            "export_quantization_maxlen",
                            "ppo_buffer_size",
                            "ppo_epochs",
                            "ppo_score_norm",
                            "ppo_target",
                            "ppo_whiten_rewards",
                            "reward_model",
                            "reward_model_adapters",
                            "reward_model_quantization_bit",
                            "reward_model_type",
                            "oft_rank",
                            "oft_block_size",
                            "oft_target",
                            "module_dropout",
                            "galore_target",
                            "galore_rank",
                            "galore_update_interval",
                            "galore_scale",
                            "galore_proj_type",
                            "galore_layerwise",
                            "apollo_target",
                            "apollo_rank",
                            "apollo_update_interval",
                            "apollo_scale",
                            "apollo_proj",
                            "apollo_proj_type",
                            "apollo_scale_type",
                            "apollo_layerwise",
                            "apollo_scale_front",
                            "badam_mode",
                            "badam_start_block",
                            "badam_switch_mode",
                            "badam_switch_interval",
                            "badam_update_ratio",
                            "badam_mask_mode",
                            "badam_verbose",
                            "swanlab_project",
                            "swanlab_workspace",
                            "swanlab_run_name",
                            "swanlab_mode",
                            "swanlab_api_key",
                            "swanlab_logdir",
                            "swanlab_lark_webhook_url",
                            "swanlab_lark_secret",
                            "asft_alpha",
                            "eaft_alpha"};

constexpr const char* kAdamwOnly = "hearth's optimizer is AdamW: remove the key";
constexpr const char* kAddTokens = "add them to the checkpoint's tokenizer";
constexpr const char* kTextOnly = "only language models are trained so far: remove the key";
constexpr const char* kNoBeams = "there is no beam search: remove the key";
constexpr const char* kNoLoss = "hearth has cross-entropy: remove the key";
constexpr const char* kRemove = "remove the key";
constexpr const char* kMultipleChoice = "it is of multiple-choice evaluations, whose YAML has 'task': remove the key";

constexpr KnownKey kWithRemedy[] = {
    {"adapter_folder", kUnsupported, kUnsupported, "", "name the folder itself in adapter_name_or_path"},
    {"split_special_tokens", kUsed, kUnsupported, "false",
     "user text never becomes control tokens anyway: remove the key"},
    {"rope_scaling", kUnsupported, kUnsupported, "none", "set rope_scaling in the model's config.json"},
    {"shift_attn", kUnsupported, kUnsupported, "false", kRemove},
    {"mixture_of_depths", kUnsupported, kUnsupported, "", kRemove},
    {"resize_vocab", kUnsupported, kUnsupported, "false", kRemove},
    {"add_tokens", kUnsupported, kUnsupported, "", kAddTokens},
    {"add_special_tokens", kUnsupported, kUnsupported, "", kAddTokens},
    {"new_special_tokens_config", kUnsupported, kUnsupported, "", kAddTokens},
    {"quantization_bit", kUsed, kUnsupported, "", "name a quantised GGUF file as the model"},
    {"quantization_method", kNoEffect, kUnsupported, "bnb,hqq,eetq", "name a quantised GGUF file as the model"},
    {"cache_dir", kUsed, kUnsupported, "", "set HF_HUB_CACHE"},
    {"num_beams", kUnsupported, kUnsupported, "1", kNoBeams},
    {"length_penalty", kUnsupported, kUnsupported, "1", kNoBeams},
    {"max_length", kNoEffect, kUnsupported, "", "use max_new_tokens"},
    {"skip_special_tokens", kUnsupported, kUnsupported, "true", kRemove},

    {"train_from_scratch", kUnsupported, kNoEffect, "false", "start from a checkpoint: remove the key"},
    {"moe_aux_loss_coef", kUnsupported, kNoEffect, "0", "the router's auxiliary loss is not there yet: remove the key"},
    {"use_audio_in_video", kUnsupported, kNoEffect, "false", kTextOnly},
    {"use_llama_pro", kUnsupported, kNoEffect, "false", "use finetuning_type: freeze"},
    {"use_galore", kUnsupported, kNoEffect, "false", kAdamwOnly},
    {"use_apollo", kUnsupported, kNoEffect, "false", kAdamwOnly},
    {"use_badam", kUnsupported, kNoEffect, "false", kAdamwOnly},
    {"use_adam_mini", kUnsupported, kNoEffect, "false", kAdamwOnly},
    {"use_muon", kUnsupported, kNoEffect, "false", kAdamwOnly},
    {"adafactor", kUnsupported, kNoEffect, "false", kAdamwOnly},
    {"optim_args", kUnsupported, kNoEffect, "", "use adam_beta1, adam_beta2, adam_epsilon and weight_decay"},
    {"optim_target_modules", kUnsupported, kNoEffect, "", kAdamwOnly},
    {"ref_model_quantization_bit", kUnsupported, kNoEffect, "", "name a quantised GGUF file as ref_model"},
    {"use_dft_loss", kUnsupported, kNoEffect, "false", kNoLoss},
    {"use_asft_loss", kUnsupported, kNoEffect, "false", kNoLoss},
    {"use_eaft_loss", kUnsupported, kNoEffect, "false", kNoLoss},
    {"use_swanlab", kUnsupported, kNoEffect, "false", "use report_to: tensorboard, mlflow or wandb"},
    {"dataloader_drop_last", kUnsupported, kNoEffect, "false", "the last batch of an epoch may be smaller: remove it"},
    {"ignore_data_skip", kUnsupported, kNoEffect, "false", "a resumed run goes on where it stopped: remove the key"},
    {"eval_delay", kUnsupported, kNoEffect, "0", "every eval_steps counts from the start: remove the key"},
    {"push_to_hub", kUnsupported, kNoEffect, "false", "upload output_dir when the run is done: remove the key"},
    {"save_safetensors", kUnsupported, kNoEffect, "true", "weights are saved as safetensors: remove the key"},
    {"logging_dir", kUnsupported, kNoEffect, "", "reports are written below output_dir: remove the key"},
    {"evaluation_strategy", kUnsupported, kNoEffect, "", "its name is eval_strategy now"},
    {"per_gpu_train_batch_size", kUnsupported, kNoEffect, "", "its name is per_device_train_batch_size now"},
    {"per_gpu_eval_batch_size", kUnsupported, kNoEffect, "", "its name is per_device_eval_batch_size now"},

    {"task", kUnsupported, kNoEffect, "", "it makes the YAML a multiple-choice evaluation: use hearth eval"},
    {"task_dir", kUnsupported, kNoEffect, "", kMultipleChoice},
    {"lang", kUnsupported, kNoEffect, "", kMultipleChoice},
    {"n_shot", kUnsupported, kNoEffect, "", kMultipleChoice},
    {"batch_size", kUnsupported, kNoEffect, "", "use per_device_train_batch_size or per_device_eval_batch_size"},
    {"save_dir", kUnsupported, kNoEffect, "", "use output_dir"},
    {"download_mode", kUnsupported, kNoEffect, "", kMultipleChoice},

    {"export_quantization_bit", kNoEffect, kNoEffect, "",
     "there is no GPTQ: use export_format: gguf with export_quantization: q4_k_m or q8_0", kUnsupported},
    {"export_hub_model_id", kNoEffect, kNoEffect, "", "upload export_dir when it is written: remove the key",
     kUnsupported},
};

bool is_among(std::span<const std::string_view> names, const KnownKey& key) {
  return std::find(names.begin(), names.end(), key.name) != names.end();
}

// Exporting reads the keys that choose a model, and its own; what inference cannot do, it cannot do either.
KeyUse use_in_exporting(const KnownKey& key) {
  if (is_among(kBoth, key) || is_among(kOfExporting, key)) return kUsed;
  if (key.exporting == kUnsupported || key.inference == kUnsupported) return kUnsupported;
  return key.inference == kHardware ? kHardware : kNoEffect;
}

// So do multiple-choice evaluations.
KeyUse use_in_multiple_choice(const KnownKey& key) {
  if (is_among(kOfModels, key) || is_among(kOfMultipleChoice, key) || key.name == "seed") return kUsed;
  return key.inference == kUsed ? kNoEffect : key.inference;
}

std::vector<KnownKey> make_table() {
  struct Group {
    KeyUse training, inference;
    std::span<const std::string_view> names;
  };
  const Group groups[] = {{kUsed, kUsed, kBoth},
                          {kUsed, kNoEffect, kOfTraining},
                          {kNoEffect, kNoEffect, kOfExporting},
                          {kUsed, kHardware, kPrecisions},
                          {kHardware, kHardware, kHardwareOfBoth},
                          {kHardware, kNoEffect, kHardwareOfTraining},
                          {kNoEffect, kHardware, kHardwareOfInference},
                          {kNoEffect, kNoEffect, kNothing}};
  std::vector<KnownKey> table(std::begin(kWithRemedy), std::end(kWithRemedy));
  for (const Group& group : groups)
    for (const std::string_view name : group.names) table.push_back({name, group.training, group.inference});
  for (KnownKey& key : table) {
    key.exporting = use_in_exporting(key);
    key.multiple_choice = use_in_multiple_choice(key);
  }
  return table;
}

bool same_value(const YAML::Node& value, const std::string& neutral) {
  bool flag = false, neutral_flag = false;
  double number = 0, neutral_number = 0;
  const YAML::Node other(neutral);
  if (value.Scalar() == neutral) return true;
  if (YAML::convert<bool>::decode(value, flag) && YAML::convert<bool>::decode(other, neutral_flag))
    return flag == neutral_flag;
  return YAML::convert<double>::decode(value, number) && YAML::convert<double>::decode(other, neutral_number) &&
         number == neutral_number;
}

bool asks_for_nothing(const YamlEntry& entry, std::string_view neutral) {
  if (entry.is_null()) return true;
  if (!entry.value.IsScalar()) return entry.value.size() == 0;
  if (entry.value.Scalar().empty()) return true;
  const std::vector<std::string> values = split_at_commas(neutral);
  return std::any_of(values.begin(), values.end(),
                     [&](const std::string& one) { return same_value(entry.value, one); });
}

bool allows_extra_keys() {
  const char* value = std::getenv("ALLOW_EXTRA_ARGS");
  std::string text = value ? value : "";
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text == "1" || text == "y" || text == "true";
}

}  // namespace

std::span<const KnownKey> known_keys() {
  static const std::vector<KnownKey> table = make_table();
  return table;
}

std::vector<YamlEntry> used_entries(const std::vector<YamlEntry>& entries, KeyUse KnownKey::*use, std::string_view file,
                                    std::vector<std::string>& warnings) {
  const std::span<const KnownKey> table = known_keys();
  std::vector<YamlEntry> used;
  std::string hardware;
  for (const YamlEntry& entry : entries) {
    const auto key =
        std::find_if(table.begin(), table.end(), [&](const KnownKey& one) { return one.name == entry.key; });
    if (key == table.end()) {
      std::vector<std::string_view> names;
      for (const KnownKey& one : table) names.push_back(one.name);
      const std::string message =
          fmt::format("{}: unknown key '{}'{}", entry.where, entry.key, did_you_mean(entry.key, names));
      if (!allows_extra_keys()) throw invalid_argument("{}; ALLOW_EXTRA_ARGS=1 lets it pass", message);
      warnings.push_back(message);
      continue;
    }
    const KeyUse its_use = (*key).*use;
    if (its_use == kUsed) {
      used.push_back(entry);
    } else if (its_use == kHardware && !asks_for_nothing(entry, "false")) {
      hardware += (hardware.empty() ? "" : ", ") + entry.key;
    } else if (its_use == kUnsupported && !asks_for_nothing(entry, key->neutral)) {
      const std::string value = entry.value.IsScalar() ? ": " + entry.value.Scalar() : "";
      throw invalid_argument("{}: '{}{}' is not supported: {}", entry.where, entry.key, value, key->remedy);
    }
  }
  if (!hardware.empty()) warnings.push_back(fmt::format("{}: without effect on a CPU: {}", file, hardware));
  return used;
}

}  // namespace hearth
