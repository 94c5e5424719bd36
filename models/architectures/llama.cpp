#include "models/architectures/llama.h"

#include <cmath>

#include "models/decoder.h"

namespace hearth {
namespace {

class LlamaLayer : public DecoderLayer {
 public:
  LlamaLayer(const ModelConfig& c, std::shared_ptr<const Rope> rope, const std::string& name, LayerLoader& load)
      : rope_(std::move(rope)),
        attention_{c.num_attention_heads, c.num_key_value_heads, c.head_dim,
                   1.0f / std::sqrt(static_cast<float>(c.head_dim))},
        input_norm_(load.rms_norm(name + "input_layernorm", c.hidden_size, c.rms_norm_eps)),
        qkv_{load.linear(name + "self_attn.q_proj", q_size(c), c.hidden_size, c.attention_bias),
             load.linear(name + "self_attn.k_proj", kv_size(c), c.hidden_size, c.attention_bias),
             load.linear(name + "self_attn.v_proj", kv_size(c), c.hidden_size, c.attention_bias)},
        output_(load.linear(name + "self_attn.o_proj", c.hidden_size, q_size(c), c.attention_bias)),
        post_attention_norm_(load.rms_norm(name + "post_attention_layernorm", c.hidden_size, c.rms_norm_eps)),
        mlp_{load.linear(name + "mlp.gate_proj", c.intermediate_size, c.hidden_size, c.mlp_bias),
             load.linear(name + "mlp.up_proj", c.intermediate_size, c.hidden_size, c.mlp_bias),
             load.linear(name + "mlp.down_proj", c.hidden_size, c.intermediate_size, c.mlp_bias)} {}

  Tensor forward(const Tensor& x, const Batch& batch, int layer) const override {
    auto [q, k, v] = qkv_(input_norm_(x));  // [tokens, {num_heads, num_kv_heads, num_kv_heads} * head_dim]
    q = ops::rope(q, batch, *rope_);
    k = ops::rope(k, batch, *rope_);
    const Tensor y = ops::add(x, output_(ops::attention(q, k, v, batch, layer, attention_)));
    return ops::add(y, mlp_(post_attention_norm_(y)));
  }

 private:
  static int64_t q_size(const ModelConfig& c) { return int64_t{c.num_attention_heads} * c.head_dim; }
  static int64_t kv_size(const ModelConfig& c) { return int64_t{c.num_key_value_heads} * c.head_dim; }

  std::shared_ptr<const Rope> rope_;
  ops::AttentionSpec attention_;
  RmsNorm input_norm_;
  QkvProjection qkv_;
  Linear output_;
  RmsNorm post_attention_norm_;
  GatedMlp mlp_;
};

}  // namespace

std::unique_ptr<const LanguageModel> make_llama(const ModelConfig& config, LayerLoader& load) {
  const auto rope = std::make_shared<const Rope>(make_rope(config.rope, config.head_dim));
  std::vector<std::unique_ptr<const DecoderLayer>> layers;
  layers.reserve(config.num_hidden_layers);
  for (int i = 0; i < config.num_hidden_layers; ++i)
    layers.push_back(std::make_unique<LlamaLayer>(config, rope, "model.layers." + std::to_string(i) + ".", load));
  return std::make_unique<Decoder>(config, load, std::move(layers));
}

}  // namespace hearth
