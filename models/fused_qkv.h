// q, k and v in one matrix whose rows are grouped by heads, which llama.cpp's converter puts in the order q, k, v.
#pragma once

#include <string_view>

#include "models/model_config.h"
#include "runtime/io/weight_source.h"

namespace hearth {

// For the tensors whose names contain `part`: `groups` equal parts of a share of q's, then k's, then v's rows, from all
// of q's, then all of k's, then all of v's.
void restore_fused_qkv(WeightSource& source, std::string_view part, int groups, const ModelConfig& config);

}  // namespace hearth
