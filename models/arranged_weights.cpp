#include "models/arranged_weights.h"

#include "models/registry.h"
#include "runtime/io/gguf.h"

namespace hearth {

WeightSource arranged_weights(const std::filesystem::path& directory, const ModelConfig& config) {
  const Architecture& architecture = find_architecture(config.architecture, directory.string());
  WeightSource source = WeightSource::from_directory(directory);
  if (architecture.arrange) architecture.arrange(source, config);
  return source;
}

WeightSource arranged_weights(const std::shared_ptr<const GgufFile>& gguf, const ModelConfig& config) {
  const Architecture& architecture = find_architecture(config.architecture, gguf->name());
  const DecoderNames& names = architecture.names;
  const GgufName of_model[] = {{"token_embd", names.embedding},
                               {"position_embd", names.positions},
                               {"output_norm", names.norm},
                               {"output", names.head}};
  WeightSource source = WeightSource::from_gguf(
      gguf, {.layers = names.layers, .of_layer = architecture.gguf.layer_names, .of_model = of_model});
  if (architecture.gguf.restore) architecture.gguf.restore(source, config);
  return source;
}

}  // namespace hearth
