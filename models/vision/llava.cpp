// LLaVA 1.5 (arXiv 2310.03744) and LLaVA-NeXT: a vision transformer, and two linear maps into the text model's input
// (transformers' LlavaForConditionalGeneration and LlavaNextForConditionalGeneration).
#include "models/vision/llava.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/vision/vit.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr TensorPrefix kPrefixes[] = {
    // transformers 4's names, which 5 writes too
    {"language_model.model.", "model.language_model."},          {"language_model.lm_head", "lm_head"},
    {"vision_tower.vision_model.", "model.vision_tower."},       {"vision_tower.", "model.vision_tower."},
    {"multi_modal_projector.", "model.multi_modal_projector."},  {"image_newline", "model.image_newline"},
    {"model.vision_tower.vision_model.", "model.vision_tower."},
};

void configure(const ConfigReader& json, VisionConfig& config) {
  const auto tower = json.object("vision_config");
  if (!tower) throw invalid_argument("{}: has no vision_config", json.place());
  config.tower = read_tower_config(*tower);
  const int layers = config.tower.layers.num_hidden_layers;
  const auto chosen = json.integers("vision_feature_layer", -layers - 1, layers);
  if (chosen.size() > 1) throw invalid_argument("{}: vision_feature_layer names several layers", json.place());
  const int64_t layer = chosen.empty() ? -2 : chosen[0];  // of the layers' input and their outputs
  config.tower_layers = static_cast<int>(layer < 0 ? layers + 1 + layer : layer);
  const std::string strategy = json.text("vision_feature_select_strategy").value_or("default");
  if (strategy != "default" && strategy != "full")
    throw invalid_argument("{}: vision_feature_select_strategy is '{}', must be 'default' or 'full'", json.place(),
                           strategy);
  config.drops_class_token = strategy == "default";
  config.image_token_id = static_cast<TokenId>(
      json.integer(json.has("image_token_id") ? "image_token_id" : "image_token_index", 0, kMostTokens)
          .value_or(32000));
  config.projector_hidden_act = read_activation(json, "projector_hidden_act").value_or(Activation::kGelu);
  config.multimodal_projector_bias = json.boolean("multimodal_projector_bias").value_or(true);
}

nlohmann::json text_config(const nlohmann::json& json) { return llama_text_config(json, "llama"); }

int features_per_tile(const VisionConfig& c) {
  const int side = c.tower.side();
  return side * side + (c.tower.has_class_token ? 1 : 0) - (c.drops_class_token ? 1 : 0);
}

class Llava : public VisionModel {
 public:
  Llava(const VisionConfig& config, int64_t hidden_size, LayerLoader& load)
      : config_(config),
        tower_(config.tower, config.tower_layers, "model.vision_tower.", load),
        linear_1_(load.linear("model.multi_modal_projector.linear_1", hidden_size, config.tower.layers.hidden_size,
                              config.multimodal_projector_bias)),
        linear_2_(load.linear("model.multi_modal_projector.linear_2", hidden_size, hidden_size,
                              config.multimodal_projector_bias)) {}

  Tensor see(const ProcessedImage& image, const Adapter* adapter) const override {
    const Tensor x = tower_(image.tiles, adapter);
    if (!config_.drops_class_token) return x;
    std::vector<int> rows;
    for (int row = 0; row < x.rows(); ++row)
      if (row % tower_.rows_per_tile() != 0) rows.push_back(row);
    return ops::gather_rows(x, rows);
  }

  Tensor project(const Tensor& seen, const ProcessedImage&, const Adapter* adapter) const override {
    Batch batch;
    batch.segments = {{.begin = 0, .end = static_cast<int>(seen.rows()), .adapter = adapter}};
    return linear_2_(ops::activate(linear_1_(seen, batch), config_.projector_hidden_act), batch);
  }

 protected:
  VisionConfig config_;

 private:
  Vit tower_;
  Linear linear_1_, linear_2_;
};

// Of the grid of all tiles' patches, the part that shows the picture and not what it was padded with (transformers'
// unpad_image).
struct Shown {
  int first_row, first_column, rows, columns;
};

Shown shown(const ProcessedImage& image, int side) {
  const int rows = image.tile_rows * side, columns = image.tile_columns * side;
  const double height = image.original_height, width = image.original_width;
  const auto rounded = [](double x) { return static_cast<int>(std::round(x * 1e7) / 1e7); };
  if (width / height > static_cast<double>(columns) / rows) {
    const int padding = (rows - rounded(height * (columns / width))) / 2;
    return {padding, 0, rows - 2 * padding, columns};
  }
  const int padding = (columns - rounded(width * (rows / height))) / 2;
  return {0, padding, rows, columns - 2 * padding};
}

void configure_next(const ConfigReader& json, VisionConfig& config) {
  configure(json, config);
  if (features_per_tile(config) != config.tower.side() * config.tower.side())
    throw invalid_argument("{}: vision_feature_select_strategy must leave a feature for each patch", json.place());
}

class LlavaNext : public Llava {
 public:
  LlavaNext(const VisionConfig& config, int64_t hidden_size, LayerLoader& load)
      : Llava(config, hidden_size, load), newline_(load.rows("model.image_newline", 1, hidden_size)) {}

  Tensor project(const Tensor& seen, const ProcessedImage& image, const Adapter* adapter) const override {
    const Tensor x = Llava::project(seen, image, adapter);
    const int whole = features_per_tile(config_), side = config_.tower.side();
    std::vector<int> rows(whole), places(whole), newlines;
    std::iota(rows.begin(), rows.end(), 0);
    std::iota(places.begin(), places.end(), 0);
    int count = whole;
    if (image.tiles.size() > 1) {
      HEARTH_CHECK(whole == side * side);
      const Shown part = shown(image, side);
      for (int r = part.first_row; r < part.first_row + part.rows; ++r) {
        for (int c = part.first_column; c < part.first_column + part.columns; ++c) {
          const int tile = 1 + r / side * image.tile_columns + c / side;
          rows.push_back((tile * side + r % side) * side + c % side);
          places.push_back(count++);
        }
        newlines.push_back(count++);
      }
    } else {
      newlines.push_back(count++);
    }
    const Tensor y = ops::replace_rows(Tensor({count, x.dim(-1)}), places, ops::gather_rows(x, rows));
    return ops::replace_rows(y, newlines, ops::gather_rows(current(*newline_), std::vector<int>(newlines.size(), 0)));
  }

 private:
  std::shared_ptr<const ModelTensor> newline_;  // [1, hidden_size]
};

}  // namespace

std::vector<TokenId> llava_tokens(const VisionConfig& config, const ProcessedImage& image, const Tokenizer&) {
  check_tiles(config.tower, image);
  return std::vector<TokenId>(features_per_tile(config) * image.tiles.size(), config.image_token_id);
}

// After the whole picture's features the shown ones of the tiles, row by row, each row with a newline behind it.
std::vector<TokenId> llava_next_tokens(const VisionConfig& config, const ProcessedImage& image, const Tokenizer&) {
  check_tiles(config.tower, image);
  const int64_t whole = features_per_tile(config);
  if (image.tiles.size() < 2) return std::vector<TokenId>(whole + 1, config.image_token_id);
  const Shown part = shown(image, config.tower.side());
  return std::vector<TokenId>(whole + int64_t{part.rows} * (part.columns + 1), config.image_token_id);
}

std::unique_ptr<const VisionModel> make_llava(const VisionConfig& config, const ModelConfig& text, LayerLoader& load) {
  return std::make_unique<Llava>(config, text.hidden_size, load);
}

std::unique_ptr<const VisionModel> make_llava_next(const VisionConfig& config, const ModelConfig& text,
                                                   LayerLoader& load) {
  return std::make_unique<LlavaNext>(config, text.hidden_size, load);
}

constinit const VisionFamily kLlava = {.name = "llava",
                                       .hugging_face = "LlavaForConditionalGeneration",
                                       .text_config = text_config,
                                       .configure = configure,
                                       .prefixes = kPrefixes,
                                       .text_names = kLlavaTextNames,
                                       .tower = kLlavaTower,
                                       .projector = kLlavaProjector,
                                       .tokens = llava_tokens,
                                       .make = make_llava};
constinit const VisionFamily kLlavaNext = {.name = "llava_next",
                                           .hugging_face = "LlavaNextForConditionalGeneration",
                                           .text_config = text_config,
                                           .configure = configure_next,
                                           .prefixes = kPrefixes,
                                           .text_names = kLlavaTextNames,
                                           .tower = kLlavaTower,
                                           .projector = kLlavaProjector,
                                           .tokens = llava_next_tokens,
                                           .make = make_llava_next};

}  // namespace hearth
