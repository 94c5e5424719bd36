// StableLM 2 and 3B: a llama with layer norms, rope on a part of each head and, in some models, biases on q, k and v,
// norms of their own for every head of q and k, or attention and MLP on the same x (transformers' StableLmForCausalLM).
#include <algorithm>

#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "runtime/io/gguf.h"

namespace hearth {
namespace {

void set_family(ModelConfig& config) {
  config.norm = {.subtracts_mean = true, .has_bias = true, .eps = 1e-5f};
  config.partial_rotary_factor = 0.25;
}

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = json.boolean("use_qkv_bias").value_or(false);
  config.use_qk_norm = json.boolean("qk_layernorm").value_or(false);
  config.parallel_residual = json.boolean("use_parallel_residual").value_or(false);
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  config.use_qk_norm = keys.gguf().tensor("blk.0.attn_q_norm.weight") != nullptr;
  config.parallel_residual = !keys.gguf().tensor("blk.0.ffn_norm.weight");
}

void describe(const ModelConfig& config, GgufKeyWriter& keys) {
  keys.boolean("use_parallel_residual", config.parallel_residual);
}

Norm head_norms(const LayerContext& at, const std::string& name, int heads) {
  const NormConfig config = {.subtracts_mean = true, .eps = at.config.norm.eps};
  const int64_t n = at.config.head_dim;
  std::vector<std::string> names;
  names.reserve(static_cast<size_t>(heads));
  for (int h = 0; h < heads; ++h) names.push_back(at.name + name + ".norms." + std::to_string(h) + ".weight");
  return Norm(config, at.load.joined_rows(names, n));
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  const ModelConfig& c = at.config;
  std::optional<Norm> q_norm, k_norm;
  if (c.use_qk_norm) {
    q_norm = head_norms(at, "self_attn.q_layernorm", c.num_attention_heads);
    k_norm = head_norms(at, "self_attn.k_layernorm", c.num_key_value_heads);
  }
  auto attention = llama_attention(at, std::move(q_norm), std::move(k_norm));
  if (!c.parallel_residual) return pre_norm_layer(at, std::move(attention), gated_mlp(at));
  return std::make_unique<ParallelLayer>(at.norm("input_layernorm"), std::nullopt, std::move(attention), gated_mlp(at));
}

// Hugging Face has a tensor a head, the container one for all.
constexpr GgufName kLayerNames[] = {{"attn_q_norm", "self_attn.q_layernorm.norms.*"},
                                    {"attn_k_norm", "self_attn.k_layernorm.norms.*"}};

}  // namespace

constinit const Architecture kStableLm = {
    .name = "stablelm",
    .hugging_face = "StableLmForCausalLM",
    .family = set_family,
    .configure = configure,
    .make_layer = make_layer,
    .gguf = {.name = "stablelm", .layer_names = kLayerNames, .configure = configure_gguf, .describe = describe}};

}  // namespace hearth
