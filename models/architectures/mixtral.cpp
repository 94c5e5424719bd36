// Mixtral: a mistral whose MLPs are mixtures of experts (arXiv 2401.04088; transformers' MixtralForCausalLM). In GGUF
// it is called llama.
#include "models/architectures/llama.h"
#include "models/config_reader.h"
#include "models/gguf_keys.h"
#include "models/mixture.h"
#include "models/registry.h"
#include "models/windows.h"

namespace hearth {
namespace {

void set_family(ModelConfig& config) {
  config.norm.eps = 1e-5f;
  config.rope.rope_theta = 1e6;
}

constexpr KeyAlias kAliases[] = {{"num_experts", "num_local_experts"}};
constexpr GgufName kLayerNames[] = {{"ffn_gate_inp", "block_sparse_moe.gate"},
                                    {"ffn_gate_exps", "block_sparse_moe.experts.*.w1"},
                                    {"ffn_down_exps", "block_sparse_moe.experts.*.w2"},
                                    {"ffn_up_exps", "block_sparse_moe.experts.*.w3"}};

void complete(ModelConfig& config) {
  MixtureConfig& mixture = config.mixture;
  mixture.layers.assign(config.num_hidden_layers, true);
  mixture.moe_intermediate_size = config.intermediate_size;
  mixture.norm_topk_prob = true;
}

void configure(const ConfigReader& json, ModelConfig& config) {
  set_windows(json, config, [](int) { return true; });
  config.mixture.num_experts = static_cast<int>(json.integer("num_experts", 1, kMostExperts).value_or(8));
  config.mixture.num_experts_per_tok =
      static_cast<int>(json.integer("num_experts_per_tok", 1, kMostExperts).value_or(2));
  complete(config);
}

bool has_experts(const GgufKeys& keys) { return keys.integer("expert_count", 0, kMostExperts).value_or(0) > 0; }

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  read_experts(keys, config);
  complete(config);
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  static const MixtureNames kNames = {
      .router = "block_sparse_moe.gate", .experts = "block_sparse_moe.experts", .gate = "w1", .up = "w3", .down = "w2"};
  return pre_norm_layer(at, llama_attention(at), mixture_or_mlp(at, kNames));
}

}  // namespace

constinit const Architecture kMixtral = {.name = "mixtral",
                                         .hugging_face = "MixtralForCausalLM",
                                         .key_aliases = kAliases,
                                         .family = set_family,
                                         .configure = configure,
                                         .make_layer = make_layer,
                                         .gguf = {.name = "llama",
                                                  .is_of = has_experts,
                                                  .layer_names = kLayerNames,
                                                  .configure = configure_gguf,
                                                  .restore = restore_interleaved_heads}};

}  // namespace hearth
