// GLM-4-0414 and GLM-Z1: a glm with norms after attention and MLP too (transformers' Glm4ForCausalLM).
#include "models/architectures/glm.h"
#include "models/decoder.h"
#include "models/registry.h"

namespace hearth {
namespace {

constexpr GgufName kLayerNames[] = {{"post_attention_norm", "post_self_attn_layernorm"},
                                    {"post_ffw_norm", "post_mlp_layernorm"},
                                    {"ffn_up", "mlp.gate_up_proj"}};

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  return std::make_unique<SandwichLayer>(
      SandwichLayer::Norms{at.norm("input_layernorm"), at.norm("post_self_attn_layernorm"),
                           at.norm("post_attention_layernorm"), at.norm("post_mlp_layernorm")},
      llama_attention(at), fused_gated_mlp(at));
}

}  // namespace

constinit const Architecture kGlm4 = {.name = "glm4",
                                      .hugging_face = "Glm4ForCausalLM",
                                      .family = set_glm_family,
                                      .configure = configure_glm,
                                      .make_layer = make_layer,
                                      .gguf = {.name = "glm4", .layer_names = kLayerNames}};

}  // namespace hearth
