// Phi-3, Phi-3.5 mini, Phi-4 and Phi-4-mini: a llama with q, k and v in one matrix, gate and up in another, and
// longrope (arXiv 2404.14219; transformers' Phi3ForCausalLM).
#include <cmath>

#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "models/rope_config.h"
#include "models/windows.h"

namespace hearth {
namespace {

constexpr GgufName kLayerNames[] = {{"attn_qkv", "self_attn.qkv_proj"}, {"ffn_up", "mlp.gate_up_proj"}};
constexpr std::string_view kSuperfluous[] = {"rope_factors_long.weight", "rope_factors_short.weight"};

void set_family(ModelConfig& config) { config.norm.eps = 1e-5f; }

void configure(const ConfigReader& json, ModelConfig& config) {
  set_windows(json, config, [](int) { return true; });
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  config.mlp_bias = false;
  read_longrope(keys, config);
  set_windows(static_cast<int>(keys.integer("attention.sliding_window", 0, kMostPositions).value_or(0)), config,
              [](int) { return true; });
}

void describe(const ModelConfig& config, GgufKeyWriter& keys) {
  describe_longrope(config, keys);
  describe_window(config, keys);
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  return pre_norm_layer(at, fused_attention(at, "self_attn.qkv_proj", "self_attn.o_proj", 1), fused_gated_mlp(at));
}

}  // namespace

constinit const Architecture kPhi3 = {
    .name = "phi3",
    .hugging_face = "Phi3ForCausalLM",
    .family = set_family,
    .configure = configure,
    .make_layer = make_layer,
    .superfluous = kSuperfluous,
    .gguf = {.name = "phi3", .layer_names = kLayerNames, .configure = configure_gguf, .describe = describe}};

}  // namespace hearth
