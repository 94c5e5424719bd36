// The families of models that see. What one has around its text model, whose architecture is one of models/registry.h,
// stands in its file; vision_family.cpp lists them.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/decoder.h"
#include "models/layers.h"
#include "models/vision/image_processor.h"
#include "models/vision/vision_config.h"
#include "runtime/io/weight_source.h"

namespace hearth {

class VisionModel {
 public:
  virtual ~VisionModel() = default;
  // The tower's: what `project` takes.
  virtual Tensor see(const ProcessedImage& image, const Adapter* adapter) const = 0;
  // The projector's, of what the tower sees in that image: one row for each image_token_id of VisionFamily::tokens.
  // -> [features, hidden_size]
  virtual Tensor project(const Tensor& seen, const ProcessedImage& image, const Adapter* adapter) const = 0;
};

// Tensors whose names begin so in files have those here that transformers 5 gives them.
struct TensorPrefix {
  std::string_view file, here;
};

// What can be frozen by itself: LLaMA-Factory's freeze_vision_tower, freeze_multi_modal_projector and
// freeze_language_model.
enum class ModelPart { kTower, kProjector, kLanguage, kOther };

struct VisionFamily {
  std::string_view name;          // config.json's model_type
  std::string_view hugging_face;  // in config.json's architectures
  // The text model's config.json within the whole one.
  nlohmann::json (*text_config)(const nlohmann::json& json);
  // Reads the rest of config.json, beside text_config, into a config that has its family's name.
  void (*configure)(const ConfigReader& json, VisionConfig& config);
  std::span<const TensorPrefix> prefixes;  // the first that fits holds
  DecoderNames text_names;                 // the text model's within the whole
  // What modules' paths have in them: LLaMA-Factory's COMPOSITE_MODELS.
  std::span<const std::string_view> tower, projector;
  // What stands for a picture in a prompt: image_token_id wherever a feature goes.
  std::vector<TokenId> (*tokens)(const VisionConfig& config, const ProcessedImage& image);
  // Rows and columns of its features, which then have positions on a grid. Null: they are as words.
  std::array<int, 2> (*grid)(const VisionConfig& config, const ProcessedImage& image) = nullptr;
  std::unique_ptr<const VisionModel> (*make)(const VisionConfig& config, int64_t hidden_size, LayerLoader& load);
};

extern const VisionFamily kLlava, kLlavaNext, kQwen2Vl, kQwen2_5Vl;

std::span<const VisionFamily* const> vision_families();
const VisionFamily* find_vision_family(std::string_view model_type);  // null: there is none of that name

// Whether the head is tied: one of the two configs says so.
bool is_tied(const nlohmann::json& json, const nlohmann::json& text);

// What a tensor of a checkpoint is called here.
std::string name_here(const VisionConfig& config, std::string_view name_in_file);
// Renames all of them.
void arrange_vision(WeightSource& source, const VisionConfig& config);

// Of a model that sees. `path`: of a module or tensor, as transformers 5 has it.
ModelPart part_of(const VisionConfig& config, std::string_view path);

}  // namespace hearth
