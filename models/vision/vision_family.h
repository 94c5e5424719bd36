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
#include "runtime/tokenizer/tokenizer.h"

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

// How the text of a prompt has a picture's place.
enum class PicturePlace {
  kToken,        // as image_token_id
  kSpacedToken,  // as such, and a word right behind it gets a space before it
  kText,         // as "<image>", which the tokenizer does not know
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
  std::vector<TokenId> (*tokens)(const VisionConfig& config, const ProcessedImage& image, const Tokenizer& tokenizer);
  // Rows and columns of its features, which then have positions on a grid. Null: they are as words.
  std::array<int, 2> (*grid)(const VisionConfig& config, const ProcessedImage& image) = nullptr;
  // `text`: the text model's config.
  std::unique_ptr<const VisionModel> (*make)(const VisionConfig& config, const ModelConfig& text, LayerLoader& load);
  bool joins_pictures = false;  // of two side by side, the last token of one is the first of the next
  PicturePlace place = PicturePlace::kToken;
  // Null: as the model's directory describes it.
  std::unique_ptr<const ImageProcessor> (*image_processor)(const VisionConfig& config) = nullptr;
  // Adds the tensors that lie elsewhere. Null: there are none.
  void (*complete)(WeightSource& source, const VisionConfig& config) = nullptr;
  std::string_view chat_template = {};  // of checkpoints that bring none
};

extern const VisionFamily kIdefics2, kIdefics3, kLlava, kLlavaLlama, kLlavaMistral, kLlavaNext, kQwen2Vl, kQwen2_5Vl,
    kSmolVlm;

std::span<const VisionFamily* const> vision_families();
const VisionFamily* find_vision_family(std::string_view model_type);  // null: there is none of that name

// Whether the head is tied: one of the two configs says so.
bool is_tied(const nlohmann::json& json, const nlohmann::json& text);
// The text_config, whose model_type may be left out; files state what differs from transformers' LlamaConfig and
// MistralConfig.
nlohmann::json llama_text_config(const nlohmann::json& json, const char* model_type);

std::unique_ptr<const ImageProcessor> load_image_processor(const VisionConfig& config);

// What a tensor of a checkpoint is called here.
std::string name_here(const VisionConfig& config, std::string_view name_in_file);
// Brings all tensors together and renames them.
void arrange_vision(WeightSource& source, const VisionConfig& config);

// Of a model that sees. `path`: of a module or tensor, as transformers 5 has it.
ModelPart part_of(const VisionConfig& config, std::string_view path);

}  // namespace hearth
