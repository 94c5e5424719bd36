// The architectures that hearth has. Each defines its entry in its file under architectures/, and registry.cpp lists
// it.
#pragma once

#include <memory>
#include <string_view>

#include "runtime/language_model.h"

namespace hearth {

class ConfigReader;
class LayerLoader;
struct ModelConfig;

struct Architecture {
  std::string_view name;          // config.json's model_type and GGUF's general.architecture
  std::string_view hugging_face;  // in config.json's architectures
  bool gguf_interleaves_heads;    // llama.cpp's converter reorders its q and k rows
  // What its config.json says, or means, beyond the keys that all have.
  void (*configure)(const ConfigReader& json, ModelConfig& config);
  std::unique_ptr<const LanguageModel> (*make)(const ModelConfig& config, LayerLoader& load);
};

extern const Architecture kLlama, kMistral, kQwen2, kQwen3;

// Throws kInvalidArgument naming `place` (a file), what it has, and what hearth has.
const Architecture& find_architecture(std::string_view name, std::string_view place);

}  // namespace hearth
