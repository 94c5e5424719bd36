// The kinds of image processors, a file each. Each throws kInvalidArgument naming the key that it cannot take.
#pragma once

#include <memory>

#include "models/vision/image_processor.h"
#include "models/vision/pixel_steps.h"

namespace hearth {

std::unique_ptr<const ImageProcessor> clip_processor(const ProcessorConfig& config);
std::unique_ptr<const ImageProcessor> siglip_processor(const ProcessorConfig& config);
std::unique_ptr<const ImageProcessor> llava_processor(const ProcessorConfig& config);
std::unique_ptr<const ImageProcessor> llava_next_processor(const ProcessorConfig& config);
std::unique_ptr<const ImageProcessor> qwen2_vl_processor(const ProcessorConfig& config);
std::unique_ptr<const ImageProcessor> idefics2_processor(const ProcessorConfig& config);
std::unique_ptr<const ImageProcessor> idefics3_processor(const ProcessorConfig& config);  // SmolVLM's too

}  // namespace hearth
