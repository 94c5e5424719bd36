// Gemma 3, its text part: a gemma2 without soft caps whose q and k are normalised, with a window in five of six layers,
// which rotate by a theta of their own (arXiv 2503.19786; transformers' Gemma3ForCausalLM).
#include <algorithm>
#include <cmath>

#include "models/architectures/gemma.h"
#include "models/architectures/gemma2.h"
#include "models/config_reader.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "models/windows.h"

namespace hearth {
namespace {

constexpr KeyAlias kAliases[] = {{"hidden_act", "hidden_activation"}};
constexpr double kDefaultTheta = 1e6, kDefaultLocalTheta = 1e4;
constexpr int kDefaultPattern = 6;

void set_family(ModelConfig& config) {
  set_gemma_family(config);
  config.rope.rope_theta = kDefaultTheta;
}

RopeParameters local_rope(double theta) {
  RopeParameters rope;
  rope.rope_theta = theta;
  return rope;
}

void configure(const ConfigReader& json, ModelConfig& config) {
  configure_gemma2(json, config);
  const int64_t pattern = json.integer("sliding_window_pattern", 1, kMostLayers).value_or(kDefaultPattern);
  set_windows(json, config, [&](int layer) { return (layer + 1) % pattern != 0; });
  if (!config.sliding_rope)
    config.sliding_rope = local_rope(json.number("rope_local_base_freq", 1, 1e15).value_or(kDefaultLocalTheta));
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  complete_gemma(config);
  constexpr int kLayersOf27B = 62;  // whose query_pre_attn_scalar the container does not tell
  if (config.num_hidden_layers == kLayersOf27B)
    config.attention_scale =
        1.0f / std::sqrt(static_cast<float>(config.hidden_size) / static_cast<float>(config.num_attention_heads));
  const int64_t pattern = keys.integer("attention.sliding_window_pattern", 1, kMostLayers).value_or(kDefaultPattern);
  set_windows(static_cast<int>(keys.integer("attention.sliding_window", 1, kMostPositions).value_or(0)), config,
              [&](int layer) { return (layer + 1) % pattern != 0; });
  config.final_logit_softcap =
      static_cast<float>(keys.number("final_logit_softcapping", 0, kLargestSoftcap).value_or(0));
  config.sliding_rope = local_rope(keys.number("rope.freq_base_swa", 1, 1e15).value_or(kDefaultLocalTheta));
}

void describe(const ModelConfig& config, GgufKeyWriter& keys) {
  if (config.final_logit_softcap != 0) keys.number("final_logit_softcapping", config.final_logit_softcap);
  describe_window(config, keys);
  const auto full = std::find(config.windows.begin(), config.windows.end(), 0);
  const int64_t pattern = full - config.windows.begin() + 1;
  if (pattern != kDefaultPattern) keys.integer("attention.sliding_window_pattern", pattern);
  keys.number("rope.freq_base_swa", config.sliding_rope->rope_theta);
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  const auto norm = [&](const char* part) { return at.load.norm(at.name + part, at.config.head_dim, at.config.norm); };
  return gemma2_layer(at, llama_attention(at, norm("self_attn.q_norm"), norm("self_attn.k_norm")));
}

}  // namespace

constinit const Architecture kGemma3 = {.name = "gemma3_text",
                                        .hugging_face = "Gemma3ForCausalLM",
                                        .key_aliases = kAliases,
                                        .family = set_family,
                                        .configure = configure,
                                        .make_layer = make_layer,
                                        .gguf = {.name = "gemma3",
                                                 .layer_names = kGemma2LayerNames,
                                                 .configure = configure_gguf,
                                                 .describe = describe,
                                                 .restore = restore_gemma_norms}};

}  // namespace hearth
