// Qwen2 and Qwen2.5: a llama whose q, k and v have biases (transformers' Qwen2ForCausalLM).
#include "models/architectures/qwen2.h"

#include "models/architectures/llama.h"
#include "models/config_reader.h"
#include "models/model_config.h"
#include "models/registry.h"

namespace hearth {
namespace {

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = true;
  read_qwen_window(json, config);
}

}  // namespace

void read_qwen_window(const ConfigReader& json, ModelConfig& config) {
  constexpr int kDefaultWindow = 4096;
  if (json.boolean("use_sliding_window").value_or(false))
    config.sliding_window = static_cast<int>(json.integer("sliding_window", 1, INT32_MAX).value_or(kDefaultWindow));
}

constinit const Architecture kQwen2 = {"qwen2", "Qwen2ForCausalLM", false, configure, make_llama};

}  // namespace hearth
