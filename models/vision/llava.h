// What transformers' LLaVA and LLaVA-NeXT share with the layout of LLaVA's own code.
#pragma once

#include <memory>
#include <vector>

#include "models/vision/vision_family.h"

namespace hearth {

std::vector<TokenId> llava_tokens(const VisionConfig& config, const ProcessedImage& image, const Tokenizer& tokenizer);
std::vector<TokenId> llava_next_tokens(const VisionConfig& config, const ProcessedImage& image,
                                       const Tokenizer& tokenizer);

// From vision_tower, multi_modal_projector and, of LLaVA-NeXT, image_newline.
std::unique_ptr<const VisionModel> make_llava(const VisionConfig& config, const ModelConfig& text, LayerLoader& load);
std::unique_ptr<const VisionModel> make_llava_next(const VisionConfig& config, const ModelConfig& text,
                                                   LayerLoader& load);

}  // namespace hearth
