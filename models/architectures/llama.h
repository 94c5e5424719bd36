// The llama, from which most families differ in a detail.
#pragma once

#include <memory>

#include "models/decoder.h"
#include "runtime/io/weight_source.h"

namespace hearth {

std::unique_ptr<const DecoderLayer> make_llama_layer(const LayerContext& at);
// llama.cpp's converter interleaves the rows of q_proj and k_proj of this and some other families.
void restore_interleaved_heads(WeightSource& source, const ModelConfig& config);

}  // namespace hearth
