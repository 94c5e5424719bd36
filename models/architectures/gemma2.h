// What Gemma 2 and 3 share.
#pragma once

#include <memory>

#include "models/config_reader.h"
#include "models/decoder.h"
#include "runtime/io/weight_source.h"

namespace hearth {

inline constexpr GgufName kGemma2LayerNames[] = {{"post_attention_norm", "post_attention_layernorm"},
                                                 {"ffn_norm", "pre_feedforward_layernorm"},
                                                 {"post_ffw_norm", "post_feedforward_layernorm"}};
inline constexpr double kLargestSoftcap = 1e6;

void configure_gemma2(const ConfigReader& json, ModelConfig& config);
std::unique_ptr<const DecoderLayer> gemma2_layer(const LayerContext& at, std::unique_ptr<const Attention> attention);

}  // namespace hearth
