// What a config.json says of the part of a model that sees. Names are config.json's.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/config_reader.h"
#include "models/model_config.h"

namespace hearth {

// A vision transformer over square patches of a picture.
struct TowerConfig {
  ModelConfig layers = {};  // sizes, activation and norms of its layers; the vocabulary has no meaning
  int image_size = 0;       // 0: any
  int patch_size = 0;
  int frames = 1;                // of a patch; a picture is a film of equal ones
  bool has_class_token = false;  // CLIP's: before the patches, and a norm before the layers
  bool patch_bias = false;
  bool has_post_norm = false;  // behind its last layer
  // Tiles are of any size; a patch's position is that which lies as far into image_size as it does into the picture.
  bool positions_by_place = false;

  int side() const { return image_size / patch_size; }  // patches
};

struct VisionConfig {
  std::string family;               // a name of models/vision/vision_family.h
  std::filesystem::path directory;  // the model's
  TowerConfig tower;
  int tower_layers = 0;            // of its layers, those whose output is taken
  bool drops_class_token = false;  // vision_feature_select_strategy "default"
  TokenId image_token_id = 0;      // stands for a picture in a prompt, then for each of its features
  Activation projector_hidden_act = Activation::kGelu;
  bool multimodal_projector_bias = true;
  int spatial_merge_size = 1;  // patches a side that become one row of the text model; Idefics3's scale_factor
  // Qwen2-VL's:
  int window_size = 0;              // pixels a side that patches attend within; 0: the whole picture
  std::vector<bool> attends_fully;  // [num_hidden_layers], with window_size: to the whole picture all the same
  std::array<int, 3> mrope_section = {0, 0, 0};  // Rope::sections of the text model
  // Idefics2's:
  ModelConfig resampler = {};  // sizes, activation and norms of its layers
  int resampler_n_latents = 0;
  // LLaVA's own layout's:
  std::string mm_vision_tower;  // a checkpoint of the tower, by its directory or its name on the hub
  std::string image_aspect_ratio;
};

// The part of a whole config.json that is about pictures; null: the model reads text only. Throws kInvalidArgument,
// kNotFound, kDataCorruption.
std::shared_ptr<const VisionConfig> read_vision_config(const nlohmann::json& json,
                                                       const std::filesystem::path& config_json);
// The text model's config.json within that of a model that sees, with what its family leaves to defaults.
nlohmann::json text_config_of(const nlohmann::json& json, const VisionConfig& config);

// CLIP's and SigLIP's, from a vision_config with their keys and defaults. Throws kInvalidArgument for another kind.
TowerConfig read_tower_config(const ConfigReader& json);
// Idefics2's and 3's: a SigLIP for tiles of any size. These two defaults are the family's.
TowerConfig read_idefics_tower(const ConfigReader& json, int64_t hidden_size, int num_attention_heads);

// Of its layers' width and heads. Throws kInvalidArgument for one that attention does not have.
int tower_head_dim(const ModelConfig& layers, const std::string& place);

}  // namespace hearth
