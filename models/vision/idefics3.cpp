// Idefics3 (arXiv 2408.12637) and SmolVLM (arXiv 2504.05299): square tiles of a picture and then the whole of it, in
// each of which blocks of patches become one row of a llama; in the prompt every tile has its row and column before it
// (transformers' Idefics3ForConditionalGeneration and SmolVLMForConditionalGeneration).
#include <algorithm>

#include <fmt/format.h>

#include "models/vision/patches.h"
#include "models/vision/vision_family.h"
#include "models/vision/vit.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr DecoderNames kTextNames = {
    .embedding = "model.text_model.embed_tokens", .layers = "model.text_model.layers", .norm = "model.text_model.norm"};
constexpr std::string_view kTower[] = {"vision_model"}, kProjector[] = {"connector"};

nlohmann::json text_config(const nlohmann::json& json) { return llama_text_config(json, "llama"); }

void configure(const ConfigReader& json, VisionConfig& config) {
  const auto tower = json.object("vision_config");
  if (!tower) throw invalid_argument("{}: has no vision_config", json.place());
  config.tower = read_idefics_tower(*tower, 1152, 16);
  config.tower_layers = config.tower.layers.num_hidden_layers;
  const int side = config.tower.side();
  config.spatial_merge_size = static_cast<int>(json.integer("scale_factor", 1, side).value_or(2));
  if (side % config.spatial_merge_size != 0)
    throw invalid_argument("{}: scale_factor {} does not divide the {} patches a side of a tile", json.place(),
                           config.spatial_merge_size, side);
  config.image_token_id = static_cast<TokenId>(json.integer("image_token_id", 0, kMostTokens).value_or(128257));
}

int blocks_a_side(const VisionConfig& config) { return config.tower.side() / config.spatial_merge_size; }

// Line by line the tiles, then the whole picture.
std::vector<TokenId> tokens(const VisionConfig& config, const ProcessedImage& image, const Tokenizer& tokenizer) {
  check_tiles(config.tower, image);
  constexpr const char* kMark = "<fake_token_around_image>";
  if (!tokenizer.token_id(kMark)) throw invalid_argument("the model's tokenizer lacks the token '{}'", kMark);
  const std::string image_token = tokenizer.token_text(config.image_token_id);
  const int count = blocks_a_side(config) * blocks_a_side(config);
  std::string features, text;
  for (int i = 0; i < count; ++i) features += image_token;
  for (int row = 1; row <= image.tile_rows; ++row) {
    for (int column = 1; column <= image.tile_columns; ++column)
      text += fmt::format("{}<row_{}_col_{}>{}", kMark, row, column, features);
    text += row == image.tile_rows ? "\n\n" : "\n";
  }
  text += fmt::format("{}<global-img>{}{}", kMark, features, kMark);
  std::vector<TokenId> ids = tokenizer.encode(text);
  if (std::ranges::count(ids, config.image_token_id) != static_cast<int64_t>(image.tiles.size()) * count)
    throw invalid_argument(
        "the model's tokenizer does not read '{}' as the one token {}, its config.json's "
        "image_token_id",
        image_token, config.image_token_id);
  return ids;
}

class Idefics3 : public VisionModel {
 public:
  Idefics3(const VisionConfig& config, int64_t hidden_size, LayerLoader& load)
      : config_(config),
        tower_(config.tower, config.tower_layers, "model.vision_model.", load),
        projection_(
            load.linear("model.connector.modality_projection.proj", hidden_size,
                        config.tower.layers.hidden_size * config.spatial_merge_size * config.spatial_merge_size)) {}

  Tensor see(const ProcessedImage& image, const Adapter* adapter) const override {
    return tower_(image.tiles, adapter);
  }

  Tensor project(const Tensor& seen, const ProcessedImage& image, const Adapter* adapter) const override {
    const int side = config_.tower.side(), merge = config_.spatial_merge_size, blocks = blocks_a_side(config_);
    std::vector<int> order;
    for (int tile = 0; tile < static_cast<int>(image.tiles.size()); ++tile)
      for (int block = 0; block < blocks * blocks; ++block)
        for (int i = 0; i < merge * merge; ++i) {
          const int row = block / blocks * merge + i / merge, column = block % blocks * merge + i % merge;
          order.push_back((tile * side + row) * side + column);
        }
    const Tensor merged = side_by_side(seen, order, merge * merge);
    Batch batch;
    batch.segments = {{.begin = 0, .end = static_cast<int>(merged.rows()), .adapter = adapter}};
    return projection_(merged, batch);
  }

 private:
  VisionConfig config_;
  Vit tower_;
  Linear projection_;
};

std::unique_ptr<const VisionModel> make(const VisionConfig& config, const ModelConfig& text, LayerLoader& load) {
  return std::make_unique<Idefics3>(config, text.hidden_size, load);
}

constexpr VisionFamily family(std::string_view name, std::string_view hugging_face) {
  return {.name = name,
          .hugging_face = hugging_face,
          .text_config = text_config,
          .configure = configure,
          .prefixes = {},
          .text_names = kTextNames,
          .tower = kTower,
          .projector = kProjector,
          .tokens = tokens,
          .make = make};
}

}  // namespace

constinit const VisionFamily kIdefics3 = family("idefics3", "Idefics3ForConditionalGeneration");
constinit const VisionFamily kSmolVlm = family("smolvlm", "SmolVLMForConditionalGeneration");

}  // namespace hearth
