#include "models/vision/vision_config.h"

#include <algorithm>
#include <span>

#include "models/vision/vision_family.h"
#include "runtime/base/error.h"
#include "runtime/io/untrusted.h"

namespace hearth {

namespace {

// LLaVA's own code and transformers' both call themselves llava.
const VisionFamily* family_of(const std::string& model_type, std::span<const std::string> architectures) {
  const VisionFamily* named = find_vision_family(model_type);
  if (named != &kLlava) return named;
  for (const VisionFamily* family : {&kLlavaLlama, &kLlavaMistral})
    if (std::ranges::find(architectures, family->hugging_face) != architectures.end()) return family;
  return named;
}

}  // namespace

std::shared_ptr<const VisionConfig> read_vision_config(const nlohmann::json& json,
                                                       const std::filesystem::path& config_json) {
  const std::string place = config_json.string();
  const ConfigReader config(json, place);
  const std::vector<std::string> architectures = config.texts("architectures");
  const VisionFamily* family = family_of(config.text("model_type").value_or(""), architectures);
  if (!family) return nullptr;
  for (const std::string& name : architectures) {
    if (name != family->hugging_face)
      throw invalid_argument("{}: architecture '{}' is not one that hearth has; of '{}' it has '{}'", place,
                             printable(name), family->name, family->hugging_face);
  }
  auto vision = std::make_shared<VisionConfig>();
  vision->family = family->name;
  vision->directory = config_json.parent_path();
  family->configure(config, *vision);
  return vision;
}

nlohmann::json text_config_of(const nlohmann::json& json, const VisionConfig& config) {
  return find_vision_family(config.family)->text_config(json);
}

int tower_head_dim(const ModelConfig& c, const std::string& place) {
  const int64_t dim = c.hidden_size / c.num_attention_heads;
  if (dim * c.num_attention_heads != c.hidden_size || dim % 8 != 0 || dim < 8 || dim > 256)
    throw invalid_argument("{}: {} attention heads in a width of {}; each must have a multiple of 8, 256 at most",
                           place, c.num_attention_heads, c.hidden_size);
  return static_cast<int>(dim);
}

namespace {

struct TowerDefaults {
  int64_t hidden_size = 768;
  int num_attention_heads = 12, patch_size = 16;
  Activation hidden_act = Activation::kGeluTanh;
  double layer_norm_eps = 1e-6;
};

TowerConfig read_tower(const ConfigReader& json, const TowerDefaults& defaults) {
  TowerConfig tower;
  tower.image_size = static_cast<int>(json.integer("image_size", 1, 1 << 14).value_or(224));
  tower.patch_size = static_cast<int>(json.integer("patch_size", 1, 1 << 10).value_or(defaults.patch_size));
  if (json.integer("num_channels", 0, 1 << 10).value_or(3) != 3)
    throw invalid_argument("{}: num_channels is not 3", json.place());
  if (tower.patch_size > tower.image_size)
    throw invalid_argument("{}: patch_size {} is above image_size {}", json.place(), tower.patch_size,
                           tower.image_size);
  ModelConfig& c = tower.layers;
  c.hidden_size = json.integer("hidden_size", 1, kWidest).value_or(defaults.hidden_size);
  c.intermediate_size = json.integer("intermediate_size", 1, kWidest).value_or(3072);
  c.num_hidden_layers = static_cast<int>(json.integer("num_hidden_layers", 1, kMostLayers).value_or(12));
  c.num_attention_heads =
      static_cast<int>(json.integer("num_attention_heads", 1, kMostHeads).value_or(defaults.num_attention_heads));
  c.num_key_value_heads = c.num_attention_heads;
  c.head_dim = tower_head_dim(c, json.place());
  c.activation = read_activation(json, "hidden_act").value_or(defaults.hidden_act);
  const double eps = json.number("layer_norm_eps", kSmallestEps, kLargestEps).value_or(defaults.layer_norm_eps);
  c.norm = {.subtracts_mean = true, .has_bias = true, .eps = static_cast<float>(eps)};
  c.attention_bias = c.attention_output_bias = c.mlp_bias = true;
  c.is_causal = false;
  c.windows.assign(c.num_hidden_layers, 0);
  return tower;
}

}  // namespace

TowerConfig read_tower_config(const ConfigReader& json) {
  const std::string kind = json.text("model_type").value_or("clip_vision_model");
  const bool is_clip = kind == "clip_vision_model";
  if (!is_clip && kind != "siglip_vision_model")
    throw invalid_argument(
        "{}: model_type '{}' is not a vision tower that hearth has; it has 'clip_vision_model' and "
        "'siglip_vision_model'",
        json.place(), printable(kind));
  constexpr TowerDefaults kClip{.patch_size = 32, .hidden_act = Activation::kQuickGelu, .layer_norm_eps = 1e-5};
  TowerConfig tower = read_tower(json, is_clip ? kClip : TowerDefaults());
  tower.has_class_token = is_clip;
  tower.patch_bias = !is_clip;
  return tower;
}

TowerConfig read_idefics_tower(const ConfigReader& json, int64_t hidden_size, int num_attention_heads) {
  TowerConfig tower =
      read_tower(json, {.hidden_size = hidden_size, .num_attention_heads = num_attention_heads, .patch_size = 32});
  tower.patch_bias = tower.has_post_norm = tower.positions_by_place = true;
  return tower;
}

}  // namespace hearth
