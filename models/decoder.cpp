#include "models/decoder.h"

#include <cmath>

namespace hearth {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens";

}  // namespace

ops::AttentionSpec attention_spec(const ModelConfig& c) {
  return {c.num_attention_heads, c.num_key_value_heads, c.head_dim, 1.0f / std::sqrt(static_cast<float>(c.head_dim))};
}

QkvProjection load_qkv(const ModelConfig& c, const std::string& name, LayerLoader& load) {
  const int64_t q_size = int64_t{c.num_attention_heads} * c.head_dim;
  const int64_t kv_size = int64_t{c.num_key_value_heads} * c.head_dim;
  return {load.linear(name + "self_attn.q_proj", q_size, c.hidden_size, c.attention_bias),
          load.linear(name + "self_attn.k_proj", kv_size, c.hidden_size, c.attention_bias),
          load.linear(name + "self_attn.v_proj", kv_size, c.hidden_size, c.attention_bias)};
}

Linear load_attention_output(const ModelConfig& c, const std::string& name, LayerLoader& load) {
  const int64_t q_size = int64_t{c.num_attention_heads} * c.head_dim;
  return load.linear(name + "self_attn.o_proj", c.hidden_size, q_size, c.attention_output_bias);
}

GatedMlp load_mlp(const ModelConfig& c, const std::string& name, LayerLoader& load) {
  return {load.linear(name + "mlp.gate_proj", c.intermediate_size, c.hidden_size, c.mlp_bias),
          load.linear(name + "mlp.up_proj", c.intermediate_size, c.hidden_size, c.mlp_bias),
          load.linear(name + "mlp.down_proj", c.hidden_size, c.intermediate_size, c.mlp_bias)};
}

Decoder::Decoder(const ModelConfig& config, LayerLoader& load, std::vector<std::unique_ptr<const DecoderLayer>> layers)
    : dims_(model_dims(config)),
      embedding_(load.table(kEmbedding, config.vocab_size, config.hidden_size)),
      layers_(std::move(layers)),
      norm_(load.rms_norm("model.norm", config.hidden_size, config.rms_norm_eps)),
      head_(config.tie_word_embeddings ? load.tied(kEmbedding, embedding_)
                                       : load.linear("lm_head", config.vocab_size, config.hidden_size)) {}

Tensor Decoder::forward(const Batch& batch) const {
  Tensor x = ops::embedding(batch.token_ids, embedding_);  // [tokens, hidden_size]
  for (size_t i = 0; i < layers_.size(); ++i) x = layers_[i]->forward(x, batch, static_cast<int>(i));
  return norm_(x);
}

}  // namespace hearth
