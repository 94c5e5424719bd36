// A checkpoint's tensors under the names and in the layouts that its architecture's layers ask for.
#pragma once

#include <filesystem>
#include <memory>

#include "models/model_config.h"
#include "runtime/io/weight_source.h"

namespace hearth {

// Of a Hugging Face directory, or of a GGUF file; `config` is read from the same. Throw kNotFound, kDataCorruption and
// kInvalidArgument with the file.
WeightSource arranged_weights(const std::filesystem::path& directory, const ModelConfig& config);
WeightSource arranged_weights(const std::shared_ptr<const GgufFile>& gguf, const ModelConfig& config);

}  // namespace hearth
