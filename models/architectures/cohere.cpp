// Command R: layer norms without biases, attention and MLP on the same x, rope on neighbouring dimensions, scaled
// logits (transformers' CohereForCausalLM).
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "runtime/io/gguf.h"

namespace hearth {
namespace {

constexpr double kSmallest = 1e-6, kLargest = 1e6;

void set_family(ModelConfig& config) {
  config.rope.rope_theta = 5e5;
  config.norm = {.subtracts_mean = true, .eps = 1e-5f};
  config.rope_pairs = RopePairs::kNeighbours;
  config.tie_word_embeddings = true;
  config.max_position_embeddings = 8192;
}

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  config.use_qk_norm = json.boolean("use_qk_norm").value_or(false);
  config.logit_multiplier = static_cast<float>(json.number("logit_scale", kSmallest, kLargest).value_or(0.0625));
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  config.use_qk_norm = keys.gguf().tensor("blk.0.attn_q_norm.weight") != nullptr;
  config.logit_multiplier = static_cast<float>(keys.required_number("logit_scale", kSmallest, kLargest));
}

void describe(const ModelConfig& config, GgufKeyWriter& keys) {
  keys.number("logit_scale", config.logit_multiplier);
  keys.text("rope.scaling.type", "none");
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  const ModelConfig& c = at.config;
  std::optional<Norm> q_norm, k_norm;
  if (c.use_qk_norm) {  // every head has its own weights
    q_norm = Norm(c.norm, at.load.rows(at.name + "self_attn.q_norm.weight", c.num_attention_heads, c.head_dim));
    k_norm = Norm(c.norm, at.load.rows(at.name + "self_attn.k_norm.weight", c.num_key_value_heads, c.head_dim));
  }
  return std::make_unique<ParallelLayer>(at.norm("input_layernorm"), std::nullopt,
                                         llama_attention(at, std::move(q_norm), std::move(k_norm)), gated_mlp(at));
}

}  // namespace

constinit const Architecture kCohere = {
    .name = "cohere",
    .hugging_face = "CohereForCausalLM",
    .family = set_family,
    .configure = configure,
    .make_layer = make_layer,
    .gguf = {.name = "command-r", .configure = configure_gguf, .describe = describe}};

}  // namespace hearth
