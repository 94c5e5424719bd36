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

void arrange_vision(WeightSource& source, const VisionConfig& config) {
  const VisionFamily* family = find_vision_family(config.family);
  for (const std::string& name : source.names()) {
    const auto prefix = std::ranges::find_if(family->prefixes, [&](const auto& p) { return name.starts_with(p.file); });
    const bool has_other_name = prefix != family->prefixes.end();
    const std::string here = has_other_name ? std::string(prefix->here) + name.substr(prefix->file.size()) : name;
    source.rename(name, here);
    for (const char* end :
         {"embeddings.class_embedding", "patch_embedding.weight", "patch_embed.proj.weight", "image_newline"})
      if (here.ends_with(end)) source.as_matrix(here);
  }
}

bool is_tied(const nlohmann::json& json, const nlohmann::json& text) {
  const auto says = [](const nlohmann::json& j) { return j.value("tie_word_embeddings", nlohmann::json()) == true; };
  return says(json) || says(text);
}

}  // namespace hearth
