// DeepSeek-V3 and R1: a deepseek_v2 whose experts are scored by a sigmoid and chosen with a bias (arXiv 2412.19437;
// transformers' DeepseekV3ForCausalLM). The layers that predict further tokens are left out.
#include <string>

#include "models/architectures/deepseek_v2.h"
#include "models/decoder.h"
#include "models/gguf_keys.h"
#include "models/registry.h"

namespace hearth {
namespace {

void set_family(ModelConfig& config) { config.mixture.sigmoid_scores = true; }

void configure(const ConfigReader& json, ModelConfig& config) {
  configure_deepseek(json, config);
  config.mixture.norm_topk_prob = json.boolean("norm_topk_prob").value_or(true);
  config.rope_pairs = json.boolean("rope_interleave").value_or(true) ? RopePairs::kNeighbours : RopePairs::kHalves;
}

bool scores_by_sigmoid(const GgufKeys& keys) {
  return keys.integer("expert_gating_func", 0, 1 << 16) == kSigmoidGating;
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  configure_deepseek_gguf(keys, config);
  config.rope_pairs = RopePairs::kNeighbours;
}

// Layers behind the last are known by what joins the next token's embedding to them; others are left to be refused.
void drop_further_layers(WeightSource& source, const ModelConfig& config) {
  for (int i = config.num_hidden_layers;; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    if (!source.has(layer + "eh_proj.weight")) return;
    for (const std::string& name : source.names())
      if (name.starts_with(layer)) source.drop(name);
  }
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  static const MixtureNames kNames = {.shared_expert = "mlp.shared_experts",
                                      .choice_bias = "mlp.gate.e_score_correction_bias"};
  return pre_norm_layer(at, latent_attention(at), mixture_or_mlp(at, kNames));
}

}  // namespace

constinit const Architecture kDeepseekV3 = {.name = "deepseek_v3",
                                            .hugging_face = "DeepseekV3ForCausalLM",
                                            .family = set_family,
                                            .configure = configure,
                                            .make_layer = make_layer,
                                            .arrange = drop_further_layers,
                                            .gguf = {.name = "deepseek2",
                                                     .is_of = scores_by_sigmoid,
                                                     .layer_names = kDeepseekLayerNames,
                                                     .configure = configure_gguf,
                                                     .describe = describe_deepseek,
                                                     .restore = restore_kv_b}};

}  // namespace hearth
