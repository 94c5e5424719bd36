#include "models/vision/vision_family.h"

namespace hearth {
namespace {

constexpr const VisionFamily* kFamilies[] = {&kLlava, &kLlavaNext, &kQwen2Vl, &kQwen2_5Vl};

}  // namespace

std::span<const VisionFamily* const> vision_families() { return kFamilies; }

const VisionFamily* find_vision_family(std::string_view model_type) {
  for (const VisionFamily* family : kFamilies)
    if (family->name == model_type) return family;
  return nullptr;
}

void arrange_vision(WeightSource& source, const VisionConfig& config) {
  const VisionFamily* family = find_vision_family(config.family);
  for (const std::string& name : source.names()) {
    for (const TensorPrefix& prefix : family->prefixes) {
      if (!name.starts_with(prefix.file)) continue;
      const std::string here = std::string(prefix.here) + name.substr(prefix.file.size());
      source.rename(name, here);
      if (here.ends_with("class_embedding") || here.ends_with("patch_embedding.weight") ||
          here.ends_with("patch_embed.proj.weight"))
        source.as_matrix(here);
      break;
    }
  }
}

}  // namespace hearth
