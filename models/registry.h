// The architectures that hearth has: one line each in registry.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "runtime/language_model.h"

namespace hearth {

class LayerLoader;
struct ModelConfig;

struct Architecture {
  std::string_view name;          // config.json's model_type and GGUF's general.architecture
  std::string_view hugging_face;  // in config.json's architectures
  bool gguf_interleaves_heads;    // llama.cpp's converter reorders its q and k rows
  std::unique_ptr<const LanguageModel> (*make)(const ModelConfig& config, LayerLoader& load);
};

std::span<const Architecture> architectures();

// Throws kInvalidArgument naming `place` (a file), what it has, and what hearth has.
const Architecture& find_architecture(std::string_view name, std::string_view place);

}  // namespace hearth
