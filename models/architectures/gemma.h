// What the three generations of Gemma share.
#pragma once

#include "models/model_config.h"
#include "runtime/io/weight_source.h"

namespace hearth {

// Norms multiply by 1 + weight, the MLP is gated by a tanh-approximated gelu, the head is tied.
void set_gemma_family(ModelConfig& config);
// Embeddings are multiplied by sqrt(hidden_size).
void complete_gemma(ModelConfig& config);
// llama.cpp's converter adds the 1 to the weights of norms.
void restore_gemma_norms(WeightSource& source, const ModelConfig& config);

}  // namespace hearth
