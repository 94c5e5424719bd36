#include "models/architectures/llama.h"

#include <cmath>

#include "models/config_reader.h"
#include "models/registry.h"

namespace hearth {
namespace {

int64_t q_size(const ModelConfig& c) { return int64_t{c.num_attention_heads} * c.head_dim; }
int64_t kv_size(const ModelConfig& c) { return int64_t{c.num_key_value_heads} * c.head_dim; }

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  config.mlp_bias = json.boolean("mlp_bias").value_or(false);
}

}  // namespace

LlamaLayer::LlamaLayer(const ModelConfig& c, std::shared_ptr<const Rope> rope, const std::string& name,
                       LayerLoader& load)
    : rope_(std::move(rope)),
      attention_{c.num_attention_heads, c.num_key_value_heads, c.head_dim,
                 1.0f / std::sqrt(static_cast<float>(c.head_dim))},
      input_norm_(load.rms_norm(name + "input_layernorm", c.hidden_size, c.rms_norm_eps)),
      qkv_{load.linear(name + "self_attn.q_proj", q_size(c), c.hidden_size, c.attention_bias),
           load.linear(name + "self_attn.k_proj", kv_size(c), c.hidden_size, c.attention_bias),
           load.linear(name + "self_attn.v_proj", kv_size(c), c.hidden_size, c.attention_bias)},
      output_(load.linear(name + "self_attn.o_proj", c.hidden_size, q_size(c), c.attention_output_bias)),
      post_attention_norm_(load.rms_norm(name + "post_attention_layernorm", c.hidden_size, c.rms_norm_eps)),
      mlp_{load.linear(name + "mlp.gate_proj", c.intermediate_size, c.hidden_size, c.mlp_bias),
           load.linear(name + "mlp.up_proj", c.intermediate_size, c.hidden_size, c.mlp_bias),
           load.linear(name + "mlp.down_proj", c.hidden_size, c.intermediate_size, c.mlp_bias)} {}

Tensor LlamaLayer::forward(const Tensor& x, const Batch& batch, int layer) const {
  auto [q, k, v] = qkv_(input_norm_(x));  // [tokens, {num_heads, num_kv_heads, num_kv_heads} * head_dim]
  prepare(q, k);
  q = ops::rope(q, batch, *rope_);
  k = ops::rope(k, batch, *rope_);
  const Tensor y = ops::add(x, output_(ops::attention(q, k, v, batch, layer, attention_)));
  return ops::add(y, mlp_(post_attention_norm_(y)));
}

void LlamaLayer::prepare(Tensor&, Tensor&) const {}

std::unique_ptr<const LanguageModel> make_llama(const ModelConfig& config, LayerLoader& load) {
  return make_decoder<LlamaLayer>(config, load);
}

constinit const Architecture kLlama = {"llama", "LlamaForCausalLM", true, configure, make_llama};

}  // namespace hearth
