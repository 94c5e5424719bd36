// What a model takes of the daemon's memory, told from its files before it is loaded.
#pragma once

#include <cstdint>
#include <filesystem>

#include "models/model_config.h"
#include "server/app.h"

namespace hearth {

// Of a Hugging Face directory or a .gguf file. Throws what read_model_config throws.
ModelConfig config_of_model(const std::filesystem::path& model);

// Bytes of its tensors, as stored, and of its KV cache when that is full. Weights of a quantised model are laid out
// anew in as many bytes, others stay mapped, so what is stored is what is taken. 0 for files that cannot be read, which
// loading will refuse.
int64_t estimate_memory(const AppOptions& options, const AppOptions::Model& model);
int64_t adapter_memory(const std::filesystem::path& adapter);

// 3/4 of what the machine has.
int64_t default_model_memory();

}  // namespace hearth
