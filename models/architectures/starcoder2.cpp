// StarCoder2: layer norms and biases throughout, a plain MLP, a window in every layer (arXiv 2402.19173; transformers'
// Starcoder2ForCausalLM).
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "models/windows.h"

namespace hearth {
namespace {

constexpr KeyAlias kAliases[] = {{"layer_norm_eps", "norm_epsilon"}};
constexpr GgufName kLayerNames[] = {{"ffn_up", "mlp.c_fc"}, {"ffn_down", "mlp.c_proj"}};

void set_family(ModelConfig& config) {
  config.norm = {.subtracts_mean = true, .has_bias = true, .eps = 1e-5f};
  config.activation = Activation::kGeluTanh;
  config.tie_word_embeddings = true;
}

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = config.mlp_bias = json.boolean("use_bias").value_or(true);
  set_windows(json, config, [](int) { return true; });
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  set_windows(static_cast<int>(keys.integer("attention.sliding_window", 0, kMostPositions).value_or(0)), config,
              [](int) { return true; });
}

void describe(const ModelConfig& config, GgufKeyWriter& keys) {
  if (config.windows.front() != 0) describe_window(config, keys);
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  return pre_norm_layer(at, llama_attention(at), plain_mlp(at, "mlp.c_fc", "mlp.c_proj"));
}

}  // namespace

constinit const Architecture kStarcoder2 = {
    .name = "starcoder2",
    .hugging_face = "Starcoder2ForCausalLM",
    .key_aliases = kAliases,
    .family = set_family,
    .configure = configure,
    .make_layer = make_layer,
    .gguf = {.name = "starcoder2", .layer_names = kLayerNames, .configure = configure_gguf, .describe = describe}};

}  // namespace hearth
