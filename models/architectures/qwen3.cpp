// Qwen3: a llama that normalises every head of q and k before it rotates them (transformers' Qwen3ForCausalLM).
#include "models/architectures/qwen3.h"

#include "models/decoder.h"
#include "models/registry.h"
#include "models/windows.h"

namespace hearth {
namespace {

void configure(const ConfigReader& json, ModelConfig& config) {
  constexpr int kDefaultHeadDim = 128;  // whatever hidden_size is
  if (!json.has("head_dim")) config.head_dim = kDefaultHeadDim;
  configure_qwen3(json, config);
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  return pre_norm_layer(at, qwen3_attention(at), gated_mlp(at));
}

}  // namespace

void configure_qwen3(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  set_qwen_windows(json, config);
}

std::unique_ptr<const Attention> qwen3_attention(const LayerContext& at) {
  const auto norm = [&](const char* part) { return at.load.norm(at.name + part, at.config.head_dim, at.config.norm); };
  return llama_attention(at, norm("self_attn.q_norm"), norm("self_attn.k_norm"));
}

constinit const Architecture kQwen3 = {.name = "qwen3",
                                       .hugging_face = "Qwen3ForCausalLM",
                                       .configure = configure,
                                       .make_layer = make_layer,
                                       .gguf = {.name = "qwen3"}};

}  // namespace hearth
