// What Qwen3 and its mixture of experts share.
#pragma once

#include <memory>

#include "models/config_reader.h"
#include "models/layers.h"

namespace hearth {

void configure_qwen3(const ConfigReader& json, ModelConfig& config);
std::unique_ptr<const Attention> qwen3_attention(const LayerContext& at);

}  // namespace hearth
