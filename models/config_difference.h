// Whether two configurations, read from different files, are of models that compute the same.
#pragma once

#include <string>

#include "models/model_config.h"

namespace hearth {

// "intermediate_size": the first thing in which they differ; empty: none. Floats may differ by what 32 bits do not
// hold. What only longer texts see is left to same_up_to.
std::string first_difference(const ModelConfig& a, const ModelConfig& b);

// Texts of up to so many tokens see no difference of windows and of scalings by length; 0: none does.
int same_up_to(const ModelConfig& a, const ModelConfig& b);

}  // namespace hearth
