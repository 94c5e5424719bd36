// Gemma 2: a gemma with norms before and after attention and MLP, soft caps on scores and logits, and a window in every
// other layer (arXiv 2408.00118; transformers' Gemma2ForCausalLM).
#include "models/architectures/gemma2.h"

#include <cmath>

#include "models/architectures/gemma.h"
#include "models/config_reader.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "models/windows.h"

namespace hearth {
namespace {

constexpr KeyAlias kAliases[] = {{"hidden_act", "hidden_activation"}};
constexpr double kDefaultAttentionSoftcap = 50, kDefaultLogitSoftcap = 30;

bool slides(int layer) { return layer % 2 == 0; }

void configure(const ConfigReader& json, ModelConfig& config) {
  configure_gemma2(json, config);
  set_windows(json, config, slides);
  if (!json.states("attn_logit_softcapping")) config.attention_softcap = kDefaultAttentionSoftcap;  // null: none
  if (!json.states("final_logit_softcapping")) config.final_logit_softcap = kDefaultLogitSoftcap;
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  complete_gemma(config);
  config.attention_softcap =
      static_cast<float>(keys.number("attn_logit_softcapping", 0, kLargestSoftcap).value_or(kDefaultAttentionSoftcap));
  config.final_logit_softcap =
      static_cast<float>(keys.number("final_logit_softcapping", 0, kLargestSoftcap).value_or(kDefaultLogitSoftcap));
  constexpr int kLayersOf27B = 46;  // whose query_pre_attn_scalar the container does not tell
  if (config.num_hidden_layers == kLayersOf27B)
    config.attention_scale =
        1.0f / std::sqrt(static_cast<float>(config.hidden_size) / static_cast<float>(config.num_attention_heads));
  set_windows(static_cast<int>(keys.integer("attention.sliding_window", 1, kMostPositions).value_or(4096)), config,
              slides);
}

void describe(const ModelConfig& config, GgufKeyWriter& keys) {
  if (config.attention_softcap != 0) keys.number("attn_logit_softcapping", config.attention_softcap);
  if (config.final_logit_softcap != 0) keys.number("final_logit_softcapping", config.final_logit_softcap);
  describe_window(config, keys);
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) { return gemma2_layer(at, llama_attention(at)); }

}  // namespace

void configure_gemma2(const ConfigReader& json, ModelConfig& config) {
  constexpr int kDefaultHeadDim = 256;
  if (!json.has("head_dim")) config.head_dim = kDefaultHeadDim;
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  const double scalar = json.number("query_pre_attn_scalar", 1e-3, 1e6).value_or(256);
  config.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
  config.attention_softcap = static_cast<float>(json.number("attn_logit_softcapping", 0, kLargestSoftcap).value_or(0));
  config.final_logit_softcap =
      static_cast<float>(json.number("final_logit_softcapping", 0, kLargestSoftcap).value_or(0));
  complete_gemma(config);
}

std::unique_ptr<const DecoderLayer> gemma2_layer(const LayerContext& at, std::unique_ptr<const Attention> attention) {
  return std::make_unique<SandwichLayer>(
      SandwichLayer::Norms{at.norm("input_layernorm"), at.norm("post_attention_layernorm"),
                           at.norm("pre_feedforward_layernorm"), at.norm("post_feedforward_layernorm")},
      std::move(attention), gated_mlp(at));
}

constinit const Architecture kGemma2 = {.name = "gemma2",
                                        .hugging_face = "Gemma2ForCausalLM",
                                        .key_aliases = kAliases,
                                        .family = set_gemma_family,
                                        .configure = configure,
                                        .make_layer = make_layer,
                                        .gguf = {.name = "gemma2",
                                                 .layer_names = kGemma2LayerNames,
                                                 .configure = configure_gguf,
                                                 .describe = describe,
                                                 .restore = restore_gemma_norms}};

}  // namespace hearth
