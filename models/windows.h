// Which layers' attention reaches back a number of tokens only.
#pragma once

#include <functional>

#include "models/config_reader.h"
#include "models/model_config.h"

namespace hearth {

class GgufKeyWriter;

// Sets config.windows from sliding_window, for the layers that layer_types calls sliding_attention or, without it,
// those that `slides` says. Throws kInvalidArgument for other types of layers.
void set_windows(const ConfigReader& json, ModelConfig& config, const std::function<bool(int layer)>& slides);
void set_windows(int window, ModelConfig& config, const std::function<bool(int layer)>& slides);

// The window as a GGUF has it; which layers it is of goes without saying.
void describe_window(const ModelConfig& config, GgufKeyWriter& keys);

// Qwen2 and Qwen3: only with use_sliding_window, from layer max_window_layers on.
void set_qwen_windows(const ConfigReader& json, ModelConfig& config);

}  // namespace hearth
