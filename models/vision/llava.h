// What transformers' LLaVA and LLaVA-NeXT share with the layout of LLaVA's own code.
#pragma once

#include <memory>
#include <vector>

#include "models/vision/vision_family.h"

namespace hearth {

inline constexpr DecoderNames kLlavaTextNames = {.embedding = "model.language_model.embed_tokens",
                                                 .layers = "model.language_model.layers",
                                                 .norm = "model.language_model.norm"};
inline constexpr std::string_view kLlavaTower[] = {"vision_tower"}, kLlavaProjector[] = {"multi_modal_projector"};

std::vector<TokenId> llava_tokens(const VisionConfig& config, const ProcessedImage& image, const Tokenizer& tokenizer);
std::vector<TokenId> llava_next_tokens(const VisionConfig& config, const ProcessedImage& image,
                                       const Tokenizer& tokenizer);

// From model.vision_tower, model.multi_modal_projector and, of LLaVA-NeXT, model.image_newline.
std::unique_ptr<const VisionModel> make_llava(const VisionConfig& config, const ModelConfig& text, LayerLoader& load);
std::unique_ptr<const VisionModel> make_llava_next(const VisionConfig& config, const ModelConfig& text,
                                                   LayerLoader& load);

}  // namespace hearth
