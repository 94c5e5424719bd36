// GPT-NeoX and Pythia: layer norms with biases, rope on a quarter of each head, attention and MLP on the same x (arXiv
// 2204.06745; transformers' GPTNeoXForCausalLM).
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/fused_qkv.h"
#include "models/gguf_keys.h"
#include "models/registry.h"

namespace hearth {
namespace {

constexpr KeyAlias kAliases[] = {{"partial_rotary_factor", "rotary_pct"}, {"rope_theta", "rotary_emb_base"}};
constexpr GgufName kLayerNames[] = {{"attn_qkv", "attention.query_key_value"},
                                    {"attn_output", "attention.dense"},
                                    {"ffn_up", "mlp.dense_h_to_4h"},
                                    {"ffn_down", "mlp.dense_4h_to_h"}};
constexpr std::string_view kSuperfluous[] = {".attention.bias", ".attention.masked_bias"};

void set_family(ModelConfig& config) {
  config.norm = {.subtracts_mean = true, .has_bias = true, .eps = 1e-5f};
  config.activation = Activation::kGelu;
  config.partial_rotary_factor = 0.25;
}

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(true);
  config.mlp_bias = true;
  config.parallel_residual = json.boolean("use_parallel_residual").value_or(true);
}

void arrange(WeightSource& source, const ModelConfig& config) {
  if (config.tie_word_embeddings) source.drop("embed_out.weight");  // torch.save writes it all the same
}

void configure_gguf(const GgufKeys& keys, ModelConfig& config) {
  config.parallel_residual = keys.boolean("use_parallel_residual").value_or(true);
}

void describe(const ModelConfig& config, GgufKeyWriter& keys) {
  keys.boolean("use_parallel_residual", config.parallel_residual);
}

void restore(WeightSource& source, const ModelConfig& config) {
  restore_fused_qkv(source, "attention.query_key_value.", config.num_attention_heads, config);
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  auto attention = fused_attention(at, "attention.query_key_value", "attention.dense", at.config.num_attention_heads);
  auto mlp = plain_mlp(at, "mlp.dense_h_to_4h", "mlp.dense_4h_to_h");
  if (!at.config.parallel_residual) return pre_norm_layer(at, std::move(attention), std::move(mlp));
  return std::make_unique<ParallelLayer>(at.norm("input_layernorm"), at.norm("post_attention_layernorm"),
                                         std::move(attention), std::move(mlp));
}

}  // namespace

constinit const Architecture kGptNeox = {.name = "gpt_neox",
                                         .hugging_face = "GPTNeoXForCausalLM",
                                         .key_aliases = kAliases,
                                         .family = set_family,
                                         .configure = configure,
                                         .make_layer = make_layer,
                                         .names = {.embedding = "gpt_neox.embed_in",
                                                   .layers = "gpt_neox.layers",
                                                   .norm = "gpt_neox.final_layer_norm",
                                                   .head = "embed_out"},
                                         .arrange = arrange,
                                         .superfluous = kSuperfluous,
                                         .gguf = {.name = "gptneox",
                                                  .layer_names = kLayerNames,
                                                  .configure = configure_gguf,
                                                  .describe = describe,
                                                  .restore = restore}};

}  // namespace hearth
