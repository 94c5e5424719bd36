#include "models/arranged_weights.h"

#include <array>

#include "models/registry.h"
#include "models/vision/vision_family.h"

namespace hearth {
namespace {

std::array<GgufName, 4> names_of_model(const DecoderNames& names) {
  return {{{"token_embd", names.embedding},
           {"position_embd", names.positions},
           {"output_norm", names.norm},
           {"output", names.head}}};
}

GgufNames gguf_names(const Architecture& architecture, std::span<const GgufName> of_model) {
  return {.layers = architecture.names.layers, .of_layer = architecture.gguf.layer_names, .of_model = of_model};
}

}  // namespace

WeightSource arranged_weights(const std::filesystem::path& directory, const ModelConfig& config) {
  const Architecture& architecture = find_architecture(config.architecture, directory.string());
  WeightSource source = WeightSource::from_directory(directory);
  if (config.vision) arrange_vision(source, *config.vision);
  if (architecture.arrange) architecture.arrange(source, config);
  return source;
}

WeightSource arranged_weights(const std::shared_ptr<const GgufFile>& gguf, const ModelConfig& config) {
  const Architecture& architecture = find_architecture(config.architecture, gguf->name());
  const auto of_model = names_of_model(architecture.names);
  WeightSource source = WeightSource::from_gguf(gguf, gguf_names(architecture, of_model));
  if (architecture.gguf.restore) architecture.gguf.restore(source, config);
  return source;
}

bool is_superfluous(std::string_view name, const ModelConfig& config) {
  for (const std::string_view end : find_architecture(config.architecture, "").superfluous)
    if (name.ends_with(end)) return true;
  return name.ends_with("rotary_emb.inv_freq") || name == "rope_freqs.weight" ||
         (config.tie_word_embeddings && name == "lm_head.weight");
}

std::optional<GgufTensorName> gguf_name_of(std::string_view name, const ModelConfig& config) {
  const Architecture& architecture = find_architecture(config.architecture, "");
  const auto of_model = names_of_model(architecture.names);
  return gguf_name(name, gguf_names(architecture, of_model));
}

WeightSource planned_weights(std::span<const GgufFile::Tensor> tensors, const ModelConfig& config,
                             const std::string& place) {
  const Architecture& architecture = find_architecture(config.architecture, place);
  const auto of_model = names_of_model(architecture.names);
  WeightSource source = WeightSource::planned_gguf(tensors, place, gguf_names(architecture, of_model));
  if (architecture.gguf.restore) architecture.gguf.restore(source, config);
  return source;
}

}  // namespace hearth
