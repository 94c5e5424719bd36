// Gemma: a llama with norms that multiply by 1 + weight, a gelu-gated MLP and scaled embeddings (arXiv 2403.08295;
// transformers' GemmaForCausalLM).
#include "models/architectures/gemma.h"

#include <cmath>

#include "models/architectures/llama.h"
#include "models/config_reader.h"
#include "models/gguf_keys.h"
#include "models/registry.h"

namespace hearth {
namespace {

void configure(const ConfigReader& json, ModelConfig& config) {
  constexpr int kDefaultHeadDim = 256;
  if (!json.has("head_dim")) config.head_dim = kDefaultHeadDim;
  config.activation = Activation::kGeluTanh;  // also where an old config says "gelu", as in the reference
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  complete_gemma(config);
}

void configure_gguf(const GgufKeys&, ModelConfig& config) { complete_gemma(config); }

}  // namespace

void set_gemma_family(ModelConfig& config) {
  config.norm.weight_offset = 1;
  config.activation = Activation::kGeluTanh;
  config.tie_word_embeddings = true;
}

void complete_gemma(ModelConfig& config) {
  config.embedding_multiplier = std::sqrt(static_cast<float>(config.hidden_size));
}

void restore_gemma_norms(WeightSource& source, const ModelConfig&) {
  for (const std::string& name : source.names())
    if (name.ends_with("norm.weight")) source.add_to_values(name, -1);
}

constinit const Architecture kGemma = {
    .name = "gemma",
    .hugging_face = "GemmaForCausalLM",
    .family = set_gemma_family,
    .configure = configure,
    .make_layer = make_llama_layer,
    .gguf = {.name = "gemma", .configure = configure_gguf, .restore = restore_gemma_norms}};

}  // namespace hearth
