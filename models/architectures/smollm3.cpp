// SmolLM3: a llama in which every fourth layer does without rope (transformers' SmolLM3ForCausalLM).
#include "models/architectures/llama.h"
#include "models/config_reader.h"
#include "models/gguf_keys.h"
#include "models/registry.h"
#include "models/windows.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr int64_t kDefaultInterval = 4;

void set_family(ModelConfig& config) {
  config.rope.rope_theta = 2e6;
  config.tie_word_embeddings = true;
}

void take_rope_from_every(int64_t interval, ModelConfig& config) {
  config.layers_with_rope.resize(config.num_hidden_layers);
  for (int i = 0; i < config.num_hidden_layers; ++i) config.layers_with_rope[i] = (i + 1) % interval != 0;
}

void configure(const ConfigReader& json, ModelConfig& config) {
  config.attention_bias = config.attention_output_bias = json.boolean("attention_bias").value_or(false);
  config.mlp_bias = json.boolean("mlp_bias").value_or(false);
  take_rope_from_every(json.integer("no_rope_layer_interval", 1, kMostLayers).value_or(kDefaultInterval), config);
  const std::vector<int64_t> with_rope = json.integers("no_rope_layers", 0, 1);  // 1: the layer has rope
  if (!with_rope.empty() && with_rope.size() != static_cast<size_t>(config.num_hidden_layers))
    throw invalid_argument("{}: no_rope_layers has {} entries for {} layers", json.place(), with_rope.size(),
                           config.num_hidden_layers);
  for (size_t i = 0; i < with_rope.size(); ++i) config.layers_with_rope[i] = with_rope[i] != 0;
  if (json.boolean("use_sliding_window").value_or(false))
    set_windows(json, config, [&](int layer) { return !config.layers_with_rope[layer]; });
}

void configure_gguf(const GgufKeys&, ModelConfig& config) { take_rope_from_every(kDefaultInterval, config); }

}  // namespace

constinit const Architecture kSmolLm3 = {
    .name = "smollm3",
    .hugging_face = "SmolLM3ForCausalLM",
    .family = set_family,
    .configure = configure,
    .make_layer = make_llama_layer,
    .gguf = {.name = "smollm3", .configure = configure_gguf, .restore = restore_interleaved_heads}};

}  // namespace hearth
