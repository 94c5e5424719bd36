// Llama 2 and 3, SmolLM2, TinyLlama: pre-norm decoder with grouped-query attention, rope and a gated MLP (transformers'
// LlamaForCausalLM).
#include "models/architectures/llama.h"

#include "models/config_reader.h"
#include "models/registry.h"

namespace hearth {
namespace {

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  config.mlp_bias = json.boolean("mlp_bias").value_or(false);
}

}  // namespace

std::unique_ptr<const DecoderLayer> make_llama_layer(const LayerContext& at) {
  return pre_norm_layer(at, llama_attention(at), gated_mlp(at));
}

void restore_interleaved_heads(WeightSource& source, const ModelConfig& config) {
  const auto q = undo_interleaving(config.num_attention_heads, config.head_dim);
  const auto k = undo_interleaving(config.num_key_value_heads, config.head_dim);
  for (const std::string& name : source.names()) {
    if (name.find("self_attn.q_proj.") != std::string::npos) source.reorder_rows(name, q);
    if (name.find("self_attn.k_proj.") != std::string::npos) source.reorder_rows(name, k);
  }
}

constinit const Architecture kLlama = {.name = "llama",
                                       .hugging_face = "LlamaForCausalLM",
                                       .configure = configure,
                                       .make_layer = make_llama_layer,
                                       .gguf = {.name = "llama", .restore = restore_interleaved_heads}};

}  // namespace hearth
