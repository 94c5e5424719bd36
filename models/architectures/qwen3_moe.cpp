// Qwen3-MoE: a qwen3 with mixtures of experts (transformers' Qwen3MoeForCausalLM).
#include "models/architectures/qwen2_moe.h"
#include "models/architectures/qwen3.h"
#include "models/decoder.h"
#include "models/gguf_keys.h"
#include "models/mixture.h"
#include "models/registry.h"

namespace hearth {
namespace {

constexpr KeyAlias kAliases[] = {{"num_experts", "num_local_experts"}};

void configure(const ConfigReader& json, ModelConfig& config) {
  configure_qwen3(json, config);
  configure_qwen_mixture(json, config);
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  read_experts(keys, config);
  config.mixture.norm_topk_prob = true;
}

void describe(const ModelConfig& config, GgufKeyWriter& keys) {
  keys.integer("expert_feed_forward_length", config.mixture.moe_intermediate_size);
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  return pre_norm_layer(at, qwen3_attention(at), mixture_or_mlp(at, {}));
}

}  // namespace

constinit const Architecture kQwen3Moe = {
    .name = "qwen3_moe",
    .hugging_face = "Qwen3MoeForCausalLM",
    .key_aliases = kAliases,
    .configure = configure,
    .make_layer = make_layer,
    .gguf = {.name = "qwen3moe", .configure = configure_gguf, .describe = describe}};

}  // namespace hearth
