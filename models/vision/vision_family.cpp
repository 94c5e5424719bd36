#include "models/vision/vision_family.h"

#include <algorithm>
#include <string>

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

std::string name_here(const VisionConfig& config, std::string_view name) {
  for (const auto& [file, here] : find_vision_family(config.family)->prefixes)
    if (name.starts_with(file)) return std::string(here).append(name.substr(file.size()));
  return std::string(name);
}

void arrange_vision(WeightSource& source, const VisionConfig& config) {
  for (const std::string& name : source.names()) {
    const std::string here = name_here(config, name);
    source.rename(name, here);
    for (const char* end :
         {"embeddings.class_embedding", "patch_embedding.weight", "patch_embed.proj.weight", "image_newline"})
      if (here.ends_with(end)) source.as_matrix(here);
  }
}

ModelPart part_of(const VisionConfig& config, std::string_view path) {
  const VisionFamily* family = find_vision_family(config.family);
  const auto has_one = [&](std::span<const std::string_view> keys) {
    return std::ranges::any_of(keys, [&](std::string_view key) { return path.find(key) != std::string_view::npos; });
  };
  constexpr std::string_view kLanguage[] = {"language_model", "lm_head"};
  if (has_one(family->projector)) return ModelPart::kProjector;
  if (has_one(family->tower)) return ModelPart::kTower;
  return has_one(kLanguage) ? ModelPart::kLanguage : ModelPart::kOther;
}

bool is_tied(const nlohmann::json& json, const nlohmann::json& text) {
  const auto says = [](const nlohmann::json& j) { return j.value("tie_word_embeddings", nlohmann::json()) == true; };
  return says(json) || says(text);
}

}  // namespace hearth
