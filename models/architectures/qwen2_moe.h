// What the mixtures of Qwen 2 and 3 share.
#pragma once

#include "models/config_reader.h"
#include "models/model_config.h"

namespace hearth {

// The experts, and which layers have them: every decoder_sparse_step-th, but for mlp_only_layers.
void configure_qwen_mixture(const ConfigReader& json, ModelConfig& config);

}  // namespace hearth
