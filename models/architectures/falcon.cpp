// Falcon 7B, 40B, 180B and their kin with rope: attention and MLP on the same x, few key-value heads (arXiv 2311.16867;
// transformers' FalconForCausalLM).
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/fused_qkv.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "runtime/base/error.h"
#include "runtime/io/gguf.h"

namespace hearth {
namespace {

constexpr KeyAlias kAliases[] = {{"num_hidden_layers", "n_layer"},
                                 {"num_attention_heads", "n_head"},
                                 {"intermediate_size", "ffn_hidden_size"},
                                 {"layer_norm_eps", "layer_norm_epsilon"},
                                 {"hidden_act", "activation"},
                                 {"num_key_value_heads", "num_kv_heads"}};
// With two norms the MLP's is "attn_norm".
constexpr GgufName kLayerNames[] = {{"attn_norm", "input_layernorm"},
                                    {"attn_norm", "ln_mlp"},
                                    {"attn_norm_2", "ln_attn"},
                                    {"attn_qkv", "self_attention.query_key_value"},
                                    {"attn_output", "self_attention.dense"},
                                    {"ffn_up", "mlp.dense_h_to_4h"},
                                    {"ffn_down", "mlp.dense_4h_to_h"}};

void set_family(ModelConfig& config) {
  config.norm = {.subtracts_mean = true, .has_bias = true, .eps = 1e-5f};
  config.activation = Activation::kGelu;
  config.tie_word_embeddings = true;
}

void configure(const ConfigReader& json, ModelConfig& config) {
  if (json.boolean("alibi").value_or(false))
    throw invalid_argument("{}: falcons with alibi are not supported, those with rope are", json.place());
  if (config.intermediate_size == 0) config.intermediate_size = 4 * config.hidden_size;
  const bool is_new = json.boolean("new_decoder_architecture").value_or(false);
  if (!is_new) config.num_key_value_heads = json.boolean("multi_query").value_or(true) ? 1 : config.num_attention_heads;
  config.parallel_residual = is_new || json.boolean("parallel_attn").value_or(true);
  config.separate_norms = is_new && json.integer("num_ln_in_parallel_attn", 1, 2).value_or(2) == 2;
  config.attention_bias = config.attention_output_bias = config.mlp_bias = json.boolean("bias").value_or(false);
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  config.parallel_residual = true;
  config.separate_norms = keys.gguf().tensor("blk.0.attn_norm_2.weight") != nullptr;
}

void describe(const ModelConfig&, GgufKeyWriter& keys) { keys.text("tensor_data_layout", "jploski"); }

int qkv_groups(const ModelConfig& config) { return config.num_key_value_heads; }

void restore(WeightSource& source, const ModelConfig& config) {
  restore_fused_qkv(source, "self_attention.query_key_value.", qkv_groups(config), config);
  if (!config.separate_norms) return;
  for (int i = 0; i < config.num_hidden_layers; ++i) {
    const std::string layer = "transformer.h." + std::to_string(i) + ".";
    for (const char* kind : {".weight", ".bias"})
      source.rename(layer + "input_layernorm" + kind, layer + "ln_mlp" + kind);
  }
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  auto attention = fused_attention(at, "self_attention.query_key_value", "self_attention.dense", qkv_groups(at.config));
  auto mlp = plain_mlp(at, "mlp.dense_h_to_4h", "mlp.dense_4h_to_h");
  if (at.config.separate_norms)
    return std::make_unique<ParallelLayer>(at.norm("ln_attn"), at.norm("ln_mlp"), std::move(attention), std::move(mlp));
  if (!at.config.parallel_residual) return pre_norm_layer(at, std::move(attention), std::move(mlp));
  return std::make_unique<ParallelLayer>(at.norm("input_layernorm"), std::nullopt, std::move(attention),
                                         std::move(mlp));
}

}  // namespace

constinit const Architecture kFalcon = {
    .name = "falcon",
    .hugging_face = "FalconForCausalLM",
    .key_aliases = kAliases,
    .family = set_family,
    .configure = configure,
    .make_layer = make_layer,
    .names = {.embedding = "transformer.word_embeddings", .layers = "transformer.h", .norm = "transformer.ln_f"},
    .gguf = {.name = "falcon",
             .layer_names = kLayerNames,
             .configure = configure_gguf,
             .describe = describe,
             .restore = restore}};

}  // namespace hearth
