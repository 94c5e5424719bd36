// What GLM-4 (of 2024, model_type "glm") and GLM-4-0414 ("glm4") share.
#pragma once

#include <memory>

#include "models/config_reader.h"
#include "models/layers.h"

namespace hearth {

void set_glm_family(ModelConfig& config);
void configure_glm(const ConfigReader& json, ModelConfig& config);

}  // namespace hearth
