// Qwen2-VL (arXiv 2409.12191) and Qwen2.5-VL (arXiv 2502.13923): pictures of any size as patches that turn by their row
// and column, four of which become one row of a text model that turns by time, row and column (transformers'
// Qwen2VLForConditionalGeneration and Qwen2_5_VLForConditionalGeneration). A picture is a film of equal frames.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "models/decoder.h"
#include "models/vision/patches.h"
#include "models/vision/vision_family.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

// transformers 4's names, which 5 writes too, and 5's own.
constexpr TensorPrefix kPrefixes[] = {{"visual.", "model.visual."},
                                      {"model.visual.", "model.visual."},
                                      {"model.language_model.", "model.language_model."},
                                      {"model.", "model.language_model."}};
constexpr DecoderNames kTextNames = {.embedding = "model.language_model.embed_tokens",
                                     .layers = "model.language_model.layers",
                                     .norm = "model.language_model.norm"};
constexpr std::string_view kTower[] = {"visual.patch_embed", "visual.blocks"}, kProjector[] = {"visual.merger"};

constexpr int kMostPatchSize = 1 << 10;

int small(const ConfigReader& json, const char* key, int otherwise) {
  return static_cast<int>(json.integer(key, 1, kMostPatchSize).value_or(otherwise));
}

ConfigReader vision_part(const ConfigReader& json) {
  if (const auto part = json.object("vision_config")) return *part;
  throw invalid_argument("{}: has no vision_config", json.place());
}

void read_sections(const ConfigReader& json, VisionConfig& config) {
  config.mrope_section = {16, 24, 24};
  const auto text = json.object("text_config");
  for (const ConfigReader* from : {text ? &*text : &json, &json}) {
    for (const char* key : {"rope_parameters", "rope_scaling"}) {
      const auto rope = from->object(key);
      const auto sections = rope ? rope->integers("mrope_section", 0, kWidestHead) : std::vector<int64_t>();
      if (sections.empty()) continue;
      if (sections.size() != 3) throw invalid_argument("{}: mrope_section has not 3 numbers", rope->place());
      std::ranges::copy(sections, config.mrope_section.begin());
      return;
    }
  }
}

// What both have; `width` is the layers', `out` the text model's.
void read_common(const ConfigReader& json, const ConfigReader& part, int64_t width, VisionConfig& config) {
  TowerConfig& tower = config.tower;
  ModelConfig& c = tower.layers;
  c.hidden_size = width;
  c.num_hidden_layers = static_cast<int>(part.integer("depth", 1, kMostLayers).value_or(32));
  c.num_attention_heads = c.num_key_value_heads =
      static_cast<int>(part.integer("num_heads", 1, kMostHeads).value_or(16));
  if (part.integer("in_channels", 1, kMostPatchSize).value_or(3) != 3)
    throw invalid_argument("{}: in_channels is not 3", part.place());
  c.head_dim = tower_head_dim(c, part.place());
  c.attention_bias = c.attention_output_bias = c.mlp_bias = true;
  c.is_causal = false;
  c.windows.assign(c.num_hidden_layers, 0);
  tower.patch_size = small(part, "patch_size", 14);
  tower.frames = small(part, "temporal_patch_size", 2);
  config.spatial_merge_size = small(part, "spatial_merge_size", 2);
  config.image_token_id = static_cast<TokenId>(json.integer("image_token_id", 0, kMostTokens).value_or(151655));
  read_sections(json, config);
}

void configure_2(const ConfigReader& json, VisionConfig& config) {
  const ConfigReader part = vision_part(json);
  const int64_t width = part.integer("embed_dim", 1, kWidest).value_or(1280);
  read_common(json, part, width, config);
  ModelConfig& c = config.tower.layers;
  c.intermediate_size =
      static_cast<int64_t>(static_cast<double>(width) * part.number("mlp_ratio", 1e-3, 1e3).value_or(4));
  c.activation = read_activation(part, "hidden_act").value_or(Activation::kQuickGelu);
  c.norm = {.subtracts_mean = true, .has_bias = true, .eps = 1e-6f};
}

void configure_2_5(const ConfigReader& json, VisionConfig& config) {
  const ConfigReader part = vision_part(json);
  read_common(json, part, part.integer("hidden_size", 1, kWidest).value_or(1280), config);
  ModelConfig& c = config.tower.layers;
  c.intermediate_size = part.integer("intermediate_size", 1, kWidest).value_or(3420);
  c.activation = read_activation(part, "hidden_act").value_or(Activation::kSilu);
  c.norm = {.eps = 1e-6f};
  config.window_size = static_cast<int>(part.integer("window_size", 1, 1 << 14).value_or(112));
  if (config.window_size / config.spatial_merge_size / config.tower.patch_size < 1)
    throw invalid_argument("{}: window_size {} is less than {} patches of {}", part.place(), config.window_size,
                           config.spatial_merge_size, config.tower.patch_size);
  std::vector<int64_t> full = part.integers("fullatt_block_indexes", 0, kMostLayers);
  if (!part.has("fullatt_block_indexes")) full = {7, 15, 23, 31};
  config.attends_fully.assign(c.num_hidden_layers, false);
  for (const int64_t layer : full)
    if (layer < c.num_hidden_layers) config.attends_fully[layer] = true;
}

// Old files have the text model's keys beside the others.
nlohmann::json text_config(const nlohmann::json& json) {
  const auto found = json.find("text_config");
  nlohmann::json text = found != json.end() && found->is_object() ? *found : json;
  for (const char* key : {"eos_token_id", "quantization_config"})
    if (json.contains(key) && !text.contains(key)) text[key] = json[key];
  text["tie_word_embeddings"] = is_tied(json, text);
  text["model_type"] = "qwen2";
  text.erase("architectures");
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const auto rope = text.find(key);
    if (rope == text.end() || !rope->is_object()) continue;
    rope->erase("mrope_section");
    for (const char* type : {"type", "rope_type"})
      if (rope->value(type, nlohmann::json()) == "mrope") (*rope)[type] = "default";
    if (!rope->contains("type") && !rope->contains("rope_type")) (*rope)["rope_type"] = "default";
  }
  return text;
}

// The patches of a picture, merged ones side by side: block by block, row by row within a block.
struct Grid {
  int rows, columns;  // of blocks
  int merge;          // patches a side of a block

  int blocks() const { return rows * columns; }
  std::array<int, 2> patch(int block, int i) const {  // row, column
    return {block / columns * merge + i / merge, block % columns * merge + i % merge};
  }
};

Grid grid_of(const VisionConfig& config, const ProcessedImage& image) {
  const int side = config.tower.patch_size * config.spatial_merge_size;
  const PixelTile& tile = image.tiles[0];
  if (image.tiles.size() != 1 || tile.height % side != 0 || tile.width % side != 0)
    throw invalid_argument(
        "the model's image processor makes {} tiles of {} x {} pixels and its tower reads one of multiples of {}: its "
        "preprocessor_config.json and config.json do not belong together",
        image.tiles.size(), tile.height, tile.width, side);
  return {tile.height / side, tile.width / side, config.spatial_merge_size};
}

std::vector<TokenId> tokens(const VisionConfig& config, const ProcessedImage& image, const Tokenizer&) {
  return std::vector<TokenId>(grid_of(config, image).blocks(), config.image_token_id);
}

// Blocks in the order of square windows of them, row by row, and where each window ends.
struct Windows {
  std::vector<int> blocks, ends;
};

Windows windows_of(const Grid& grid, int side) {
  Windows windows;
  for (int top = 0; top < grid.rows; top += side)
    for (int left = 0; left < grid.columns; left += side) {
      for (int row = top; row < std::min(top + side, grid.rows); ++row)
        for (int column = left; column < std::min(left + side, grid.columns); ++column)
          windows.blocks.push_back(row * grid.columns + column);
      windows.ends.push_back(static_cast<int>(windows.blocks.size()));
    }
  return windows;
}

// Half of the pairs turn by the row, half by the column, with the same frequencies.
std::shared_ptr<const Rope> make_grid_rope(int head_dim) {
  constexpr double kTheta = 10000;
  const int pairs = head_dim / 4;
  Rope rope;
  rope.head_dim = head_dim;
  rope.sections = {0, pairs, pairs};
  for (int half = 0; half < 2; ++half)
    for (int i = 0; i < pairs; ++i)
      rope.inverse_frequencies.push_back(static_cast<float>(1.0 / std::pow(kTheta, 4.0 * i / head_dim)));
  return std::make_shared<const Rope>(std::move(rope));
}

class Qwen2Vl : public VisionModel {
 public:
  Qwen2Vl(const VisionConfig& config, int64_t hidden_size, LayerLoader& load)
      : config_(config),
        patch_embedding_(load.linear_without_adapters(
            "model.visual.patch_embed.proj", width(),
            int64_t{3} * config.tower.frames * config.tower.patch_size * config.tower.patch_size)),
        layers_(make_layers(load)),
        norm_(load.norm("model.visual.merger.ln_q", width(), layers().norm)),
        linear_1_(load.linear("model.visual.merger.mlp.0", merged_width(), merged_width(), true)),
        linear_2_(load.linear("model.visual.merger.mlp.2", hidden_size, merged_width(), true)) {}

  Tensor see(const ProcessedImage& image, const Adapter* adapter) const override {
    const Grid grid = grid_of(config_, image);
    return run_layers(image, grid, windows(grid), adapter);
  }

  Tensor project(const Tensor& seen, const ProcessedImage& image, const Adapter* adapter) const override {
    const std::vector<int> blocks = windows(grid_of(config_, image)).blocks;
    std::vector<int> back(blocks.size());
    for (size_t i = 0; i < back.size(); ++i) back[blocks[i]] = static_cast<int>(i);
    return ops::gather_rows(merge(seen, adapter), back);
  }

 private:
  const ModelConfig& layers() const { return config_.tower.layers; }
  int64_t width() const { return layers().hidden_size; }
  int per_block() const { return config_.spatial_merge_size * config_.spatial_merge_size; }
  int64_t merged_width() const { return width() * per_block(); }

  Windows windows(const Grid& grid) const {
    const int side = config_.window_size / config_.spatial_merge_size / config_.tower.patch_size;
    return windows_of(grid, side > 0 ? side : std::max(grid.rows, grid.columns));
  }

  std::vector<std::unique_ptr<const DecoderLayer>> make_layers(LayerLoader& load) const {
    std::vector<std::unique_ptr<const DecoderLayer>> made;
    const auto rope = make_grid_rope(layers().head_dim);
    for (int i = 0; i < layers().num_hidden_layers; ++i) {
      const LayerContext at{layers(), load, i, fmt::format("model.visual.blocks.{}.", i), rope};
      Norm before_attention = at.norm("norm1");
      auto attention = fused_attention(at, "attn.qkv", "attn.proj", 1);
      Norm before_mlp = at.norm("norm2");
      made.push_back(std::make_unique<PreNormLayer>(
          std::move(before_attention), std::move(attention), std::move(before_mlp),
          config_.window_size > 0 ? gated_mlp(at) : plain_mlp(at, "mlp.fc1", "mlp.fc2")));
    }
    return made;
  }

  // Rows in the windows' order, the patches of a block side by side.  -> [patches, width]
  Tensor run_layers(const ProcessedImage& image, const Grid& grid, const Windows& windows,
                    const Adapter* adapter) const {
    std::vector<int> order;
    Batch whole, windowed;
    for (const int block : windows.blocks) {
      for (int i = 0; i < per_block(); ++i) {
        const auto [row, column] = grid.patch(block, i);
        order.push_back(row * grid.columns * grid.merge + column);
        whole.grid_positions.push_back({0, row, column});
      }
    }
    whole.positions.assign(order.size(), 0);
    windowed.positions = whole.positions;
    windowed.grid_positions = whole.grid_positions;
    whole.segments = {{.begin = 0, .end = static_cast<int>(order.size()), .adapter = adapter}};
    for (int begin = 0; const int blocks : windows.ends) {
      const int end = blocks * per_block();
      windowed.segments.push_back({.begin = begin, .end = end, .adapter = adapter});
      begin = end;
    }
    const Tensor patches = patches_of(image.tiles, config_.tower.patch_size, config_.tower.frames);
    Tensor x = ops::gather_rows(patch_embedding_(patches, no_adapters()), order);
    for (size_t i = 0; i < layers_.size(); ++i) {
      const bool in_windows = config_.window_size > 0 && !config_.attends_fully[i];
      x = layers_[i]->forward(x, in_windows ? windowed : whole, static_cast<int>(i));
    }
    return x;
  }

  // [patches, width] -> [blocks, hidden_size]
  Tensor merge(const Tensor& x, const Adapter* adapter) const {
    std::vector<int> order(x.rows());
    std::iota(order.begin(), order.end(), 0);
    const Tensor joined = side_by_side(norm_(x), order, per_block());
    Batch batch;
    batch.segments = {{.begin = 0, .end = static_cast<int>(joined.rows()), .adapter = adapter}};
    return linear_2_(ops::activate(linear_1_(joined, batch), Activation::kGelu), batch);
  }

  VisionConfig config_;
  Linear patch_embedding_;
  std::vector<std::unique_ptr<const DecoderLayer>> layers_;
  Norm norm_;
  Linear linear_1_, linear_2_;
};

std::array<int, 2> grid(const VisionConfig& config, const ProcessedImage& image) {
  const Grid blocks = grid_of(config, image);
  return {blocks.rows, blocks.columns};
}

std::unique_ptr<const VisionModel> make(const VisionConfig& config, const ModelConfig& text, LayerLoader& load) {
  return std::make_unique<Qwen2Vl>(config, text.hidden_size, load);
}

}  // namespace

constinit const VisionFamily kQwen2Vl = {.name = "qwen2_vl",
                                         .hugging_face = "Qwen2VLForConditionalGeneration",
                                         .text_config = text_config,
                                         .configure = configure_2,
                                         .prefixes = kPrefixes,
                                         .text_names = kTextNames,
                                         .tower = kTower,
                                         .projector = kProjector,
                                         .tokens = tokens,
                                         .grid = grid,
                                         .make = make};
constinit const VisionFamily kQwen2_5Vl = {.name = "qwen2_5_vl",
                                           .hugging_face = "Qwen2_5_VLForConditionalGeneration",
                                           .text_config = text_config,
                                           .configure = configure_2_5,
                                           .prefixes = kPrefixes,
                                           .text_names = kTextNames,
                                           .tower = kTower,
                                           .projector = kProjector,
                                           .tokens = tokens,
                                           .grid = grid,
                                           .make = make};

}  // namespace hearth
