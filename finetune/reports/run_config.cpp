#include "finetune/reports/run_config.h"

namespace hearth {

nlohmann::ordered_json run_config(const TrainSpec& spec) {
  const TrainingSpec& t = spec.training;
  nlohmann::ordered_json config;
  config["model_name_or_path"] = spec.model_name_or_path;
  config["dataset"] = spec.data.dataset;
  config["cutoff_len"] = spec.data.cutoff_len;
  if (spec.finetuning_type == FinetuningType::kLora) {
    config["lora_rank"] = spec.lora.rank;
    config["lora_alpha"] = spec.lora.alpha;
    config["lora_dropout"] = spec.lora.dropout;
    config["lora_target"] = spec.lora.target;
  }
  config["output_dir"] = t.output_dir.string();
  config["per_device_train_batch_size"] = t.per_device_train_batch_size;
  config["gradient_accumulation_steps"] = t.gradient_accumulation_steps;
  config["learning_rate"] = t.learning_rate;
  config["weight_decay"] = t.weight_decay;
  config["adam_beta1"] = t.adam_beta1;
  config["adam_beta2"] = t.adam_beta2;
  config["adam_epsilon"] = t.adam_epsilon;
  config["max_grad_norm"] = t.max_grad_norm;
  config["num_train_epochs"] = t.num_train_epochs;
  config["max_steps"] = t.max_steps;
  config["warmup_ratio"] = t.warmup_ratio;
  config["warmup_steps"] = t.warmup_steps;
  config["bf16"] = t.bf16;
  config["seed"] = t.seed;
  return config;
}

}  // namespace hearth
