// Qwen1.5-MoE and Qwen2-MoE: a qwen2 with mixtures of experts, beside which a gated shared expert sees every token
// (transformers' Qwen2MoeForCausalLM).
#include "models/architectures/qwen2_moe.h"

#include <algorithm>

#include "models/decoder.h"
#include "models/gguf_keys.h"
#include "models/mixture.h"
#include "models/registry.h"
#include "models/windows.h"

namespace hearth {
namespace {

constexpr GgufName kLayerNames[] = {{"ffn_gate_shexp", "mlp.shared_expert.gate_proj"},
                                    {"ffn_up_shexp", "mlp.shared_expert.up_proj"},
                                    {"ffn_down_shexp", "mlp.shared_expert.down_proj"},
                                    {"ffn_gate_inp_shexp", "mlp.shared_expert_gate"}};

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = json.boolean("qkv_bias").value_or(true);
  if (json.boolean("use_sliding_window").value_or(false)) {
    const int64_t most = json.integer("max_window_layers", 0, kMostLayers).value_or(28);
    set_windows(json, config, [&](int layer) { return layer % 2 == 0 && layer < most; });
  }
  configure_qwen_mixture(json, config);
  config.mixture.shared_expert_intermediate_size =
      json.integer("shared_expert_intermediate_size", 1, kWidest).value_or(5632);
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  read_experts(keys, config);
  config.mixture.shared_expert_intermediate_size =
      keys.required_integer("expert_shared_feed_forward_length", 1, kWidest);
}

void describe(const ModelConfig& config, GgufKeyWriter& keys) {
  keys.integer("expert_feed_forward_length", config.mixture.moe_intermediate_size);
  keys.integer("expert_shared_feed_forward_length", config.mixture.shared_expert_intermediate_size);
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  static const MixtureNames kNames = {.shared_expert_gate = "mlp.shared_expert_gate"};
  return pre_norm_layer(at, llama_attention(at), mixture_or_mlp(at, kNames));
}

}  // namespace

void configure_qwen_mixture(const ConfigReader& json, ModelConfig& config) {
  MixtureConfig& mixture = config.mixture;
  mixture.num_experts = static_cast<int>(json.required_integer("num_experts", 1, kMostExperts));
  mixture.num_experts_per_tok = static_cast<int>(json.required_integer("num_experts_per_tok", 1, kMostExperts));
  mixture.moe_intermediate_size = json.required_integer("moe_intermediate_size", 1, kWidest);
  mixture.norm_topk_prob = json.boolean("norm_topk_prob").value_or(false);
  const int64_t step = json.integer("decoder_sparse_step", 1, kMostLayers).value_or(1);
  const std::vector<int64_t> dense = json.integers("mlp_only_layers", 0, kMostLayers);
  mixture.layers.resize(config.num_hidden_layers);
  for (int i = 0; i < config.num_hidden_layers; ++i)
    mixture.layers[i] = (i + 1) % step == 0 && std::find(dense.begin(), dense.end(), i) == dense.end();
}

constinit const Architecture kQwen2Moe = {
    .name = "qwen2_moe",
    .hugging_face = "Qwen2MoeForCausalLM",
    .configure = configure,
    .make_layer = make_layer,
    .gguf = {.name = "qwen2moe", .layer_names = kLayerNames, .configure = configure_gguf, .describe = describe}};

}  // namespace hearth
