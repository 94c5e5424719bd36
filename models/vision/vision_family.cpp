#include "models/vision/vision_family.h"

#include <algorithm>
#include <string>

namespace hearth {
namespace {

constexpr const VisionFamily* kFamilies[] = {&kIdefics2,  &kIdefics3, &kLlava,     &kLlavaLlama, &kLlavaMistral,
                                             &kLlavaNext, &kQwen2Vl,  &kQwen2_5Vl, &kSmolVlm};

}  // namespace

std::span<const VisionFamily* const> vision_families() { return kFamilies; }

const VisionFamily* find_vision_family(std::string_view model_type) {
  for (const VisionFamily* family : kFamilies)
    if (family->name == model_type) return family;
  return nullptr;
}

std::unique_ptr<const ImageProcessor> load_image_processor(const VisionConfig& config) {
  const auto own = find_vision_family(config.family)->image_processor;
  return own ? own(config) : load_image_processor(config.directory);
}

std::string name_here(const VisionConfig& config, std::string_view name) {
  for (const auto& [file, here] : find_vision_family(config.family)->prefixes)
    if (name.starts_with(file)) return std::string(here).append(name.substr(file.size()));
  return std::string(name);
}

void arrange_vision(WeightSource& source, const VisionConfig& config) {
  if (const auto complete = find_vision_family(config.family)->complete) complete(source, config);
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
  constexpr std::string_view kLanguage[] = {"language_model", "text_model", "lm_head"};
  if (has_one(family->projector)) return ModelPart::kProjector;
  if (has_one(family->tower)) return ModelPart::kTower;
  return has_one(kLanguage) ? ModelPart::kLanguage : ModelPart::kOther;
}

bool is_tied(const nlohmann::json& json, const nlohmann::json& text) {
  const auto says = [](const nlohmann::json& j) { return j.value("tie_word_embeddings", nlohmann::json()) == true; };
  return says(json) || says(text);
}

nlohmann::json llama_text_config(const nlohmann::json& json, const char* model_type) {
  const auto found = json.find("text_config");
  nlohmann::json text = found != json.end() && found->is_object() ? *found : nlohmann::json::object();
  const nlohmann::json& kind = text.emplace("model_type", model_type).first.value();
  nlohmann::json whole = {{"hidden_size", 4096},       {"intermediate_size", 11008}, {"num_hidden_layers", 32},
                          {"num_attention_heads", 32}, {"vocab_size", 32000},        {"max_position_embeddings", 2048}};
  if (kind == "mistral")
    whole.update({{"intermediate_size", 14336}, {"num_key_value_heads", 8}, {"max_position_embeddings", 131072}});
  if (kind != "llama" && kind != "mistral") whole = nlohmann::json::object();
  for (const auto& [key, value] : json.items())
    if (key == "quantization_config" || key == "eos_token_id") whole[key] = value;
  text["tie_word_embeddings"] = is_tied(json, text);
  text.erase("architectures");
  whole.update(text);
  return whole;
}

}  // namespace hearth
