// A checkpoint's tensors under the names and in the layouts that its architecture's layers ask for.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "models/model_config.h"
#include "runtime/io/gguf.h"
#include "runtime/io/weight_source.h"

namespace hearth {

// Of a Hugging Face directory, or of a GGUF file; `config` is read from the same. Throw kNotFound, kDataCorruption and
// kInvalidArgument with the file.
WeightSource arranged_weights(const std::filesystem::path& directory, const ModelConfig& config);
WeightSource arranged_weights(const std::shared_ptr<const GgufFile>& gguf, const ModelConfig& config);

// Whether a checkpoint's tensor, under its arranged name, is one that the model computes itself or does not need.
bool is_superfluous(std::string_view name, const ModelConfig& config);

// For a GGUF file that is yet to be written: what it calls the tensor that a model sees as `name` (nothing: it has no
// such), and where of its `tensors`, which have no bytes, the values come.
std::optional<GgufTensorName> gguf_name_of(std::string_view name, const ModelConfig& config);
WeightSource planned_weights(std::span<const GgufFile::Tensor> tensors, const ModelConfig& config,
                             const std::string& place);

}  // namespace hearth
