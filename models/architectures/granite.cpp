// Granite 3: a llama with multipliers on embeddings, attention scores, residuals and logits (transformers'
// GraniteForCausalLM).
#include "models/architectures/llama.h"
#include "models/config_reader.h"
#include "models/gguf_keys.h"
#include "models/registry.h"

namespace hearth {
namespace {

constexpr double kSmallest = 1e-6, kLargest = 1e6;

void configure(const ConfigReader& json, ModelConfig& config) {
  const auto multiplier = [&](const char* key) {
    return static_cast<float>(json.number(key, kSmallest, kLargest).value_or(1));
  };
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  config.mlp_bias = json.boolean("mlp_bias").value_or(false);
  config.embedding_multiplier = multiplier("embedding_multiplier");
  config.residual_multiplier = multiplier("residual_multiplier");
  config.attention_scale = multiplier("attention_multiplier");
  config.logit_multiplier = 1 / multiplier("logits_scaling");
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  const auto multiplier = [&](const char* key) {
    return static_cast<float>(keys.number(key, kSmallest, kLargest).value_or(1));
  };
  config.embedding_multiplier = multiplier("embedding_scale");
  config.residual_multiplier = multiplier("residual_scale");
  config.attention_scale = static_cast<float>(keys.number("attention.scale", kSmallest, kLargest).value_or(0));
  config.logit_multiplier = 1 / multiplier("logit_scale");
}

void describe(const ModelConfig& config, GgufKeyWriter& keys) {
  keys.number("embedding_scale", config.embedding_multiplier);
  keys.number("residual_scale", config.residual_multiplier);
  keys.number("attention.scale", config.attention_scale);
  keys.number("logit_scale", 1.0 / config.logit_multiplier);
}

}  // namespace

constinit const Architecture kGranite = {
    .name = "granite",
    .hugging_face = "GraniteForCausalLM",
    .configure = configure,
    .make_layer = make_llama_layer,
    .gguf = {
        .name = "granite", .configure = configure_gguf, .describe = describe, .restore = restore_interleaved_heads}};

}  // namespace hearth
