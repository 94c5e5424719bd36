// GPT-2: layer norms with biases, learned positions, q, k and v in one matrix, a plain MLP, a tied head (transformers'
// GPT2LMHeadModel, whose Conv1D weights lie [in, out]).
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr KeyAlias kAliases[] = {{"hidden_size", "n_embd"},
                                 {"num_hidden_layers", "n_layer"},
                                 {"num_attention_heads", "n_head"},
                                 {"max_position_embeddings", "n_positions"},
                                 {"intermediate_size", "n_inner"},
                                 {"layer_norm_eps", "layer_norm_epsilon"},
                                 {"hidden_act", "activation_function"}};
constexpr GgufName kLayerNames[] = {{"attn_norm", "ln_1"}, {"attn_qkv", "attn.c_attn"}, {"attn_output", "attn.c_proj"},
                                    {"ffn_norm", "ln_2"},  {"ffn_up", "mlp.c_fc"},      {"ffn_down", "mlp.c_proj"}};
constexpr std::string_view kSuperfluous[] = {".attn.bias", ".attn.masked_bias"};

void set_family(ModelConfig& config) {
  config.norm = {.subtracts_mean = true, .has_bias = true, .eps = 1e-5f};
  config.activation = Activation::kGeluTanh;
  config.tie_word_embeddings = true;
  config.attention_bias = config.attention_output_bias = config.mlp_bias = true;
  config.partial_rotary_factor = 0;
  config.max_position_embeddings = 1024;
}

void configure(const ConfigReader& json, ModelConfig& config) {
  if (config.intermediate_size == 0) config.intermediate_size = 4 * config.hidden_size;
  if (!json.boolean("scale_attn_weights").value_or(true) ||
      json.boolean("scale_attn_by_inverse_layer_idx").value_or(false))
    throw invalid_argument("{}: hearth's gpt2 scales attention by 1 / sqrt(head_dim) only", json.place());
}

// Older checkpoints have no "transformer." before their names.
void arrange(WeightSource& source, const ModelConfig&) {
  for (const std::string& name : source.names()) {
    const std::string full =
        name.starts_with("transformer.") || name == "lm_head.weight" ? name : "transformer." + name;
    source.rename(name, full);
    for (const char* conv1d : {"c_attn.weight", "c_proj.weight", "c_fc.weight"})
      if (full.ends_with(conv1d)) source.transpose(full);
  }
}

std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  return std::make_unique<PreNormLayer>(at.norm("ln_1"), fused_attention(at, "attn.c_attn", "attn.c_proj", 1),
                                        at.norm("ln_2"), plain_mlp(at, "mlp.c_fc", "mlp.c_proj"));
}

}  // namespace

constinit const Architecture kGpt2 = {.name = "gpt2",
                                      .hugging_face = "GPT2LMHeadModel",
                                      .key_aliases = kAliases,
                                      .family = set_family,
                                      .configure = configure,
                                      .make_layer = make_layer,
                                      .names = {.embedding = "transformer.wte",
                                                .layers = "transformer.h",
                                                .norm = "transformer.ln_f",
                                                .positions = "transformer.wpe"},
                                      .arrange = arrange,
                                      .superfluous = kSuperfluous,
                                      .gguf = {.name = "gpt2", .layer_names = kLayerNames}};

}  // namespace hearth
