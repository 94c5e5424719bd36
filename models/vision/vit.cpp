#include "models/vision/vit.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "models/vision/patches.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

// PreNormLayer's parts under CLIP's names.
std::unique_ptr<const DecoderLayer> make_layer(const LayerContext& at) {
  const int64_t n = at.config.hidden_size;
  Norm before_attention = at.norm("layer_norm1");
  auto attention = std::make_unique<SelfAttention>(
      SelfAttention::Parts{.qkv = {at.linear("self_attn.q_proj", n, n, true), at.linear("self_attn.k_proj", n, n, true),
                                   at.linear("self_attn.v_proj", n, n, true)},
                           .output = at.linear("self_attn.out_proj", n, n, true),
                           .spec = at.attention_spec()});
  Norm before_mlp = at.norm("layer_norm2");
  return std::make_unique<PreNormLayer>(std::move(before_attention), std::move(attention), std::move(before_mlp),
                                        plain_mlp(at, "mlp.fc1", "mlp.fc2"));
}

// Which of the table's `side` positions each of `count` patches takes: as many as end before it, in the reference's
// roundings, which decide where a patch begins just at an end.
std::vector<int> positions_by_place(int count, int side) {
  const double step = 1.0 / side;
  const float patch = 1.0f / static_cast<float>(count);
  std::vector<int> positions(count, 0);
  for (int i = 0; i < count; ++i) {
    const float place = std::min(static_cast<float>(i) * patch, static_cast<float>(1.0 - 1e-6));
    int& position = positions[i];
    while (position < side - 1 && static_cast<float>(step + position * step) <= place) ++position;
  }
  return positions;
}

}  // namespace

void check_tiles(const TowerConfig& tower, const ProcessedImage& image) {
  for (const PixelTile& tile : image.tiles) {
    const PatchGrid grid = patch_grid(tile, tower.patch_size);
    if (grid.rows == tower.side() && grid.columns == tower.side()) continue;
    throw invalid_argument(
        "the model's image processor makes tiles of {} x {} pixels and its tower reads {} x {}: its "
        "preprocessor_config.json and config.json do not belong together",
        tile.height, tile.width, tower.image_size, tower.image_size);
  }
}

Vit::Vit(const TowerConfig& config, int num_layers, const std::string& name, LayerLoader& load) : config_(config) {
  const ModelConfig& c = config_.layers;
  const int64_t n = c.hidden_size, patch = int64_t{3} * config.patch_size * config.patch_size;
  if (config.has_class_token) class_embedding_ = load.rows(name + "embeddings.class_embedding", 1, n);
  patch_embedding_.push_back(
      load.linear_without_adapters(name + "embeddings.patch_embedding", n, patch, config.patch_bias));
  positions_ = load.rows(name + "embeddings.position_embedding.weight", rows_per_tile(), n);
  if (config.has_class_token) pre_norm_.push_back(load.norm(name + "pre_layrnorm", n, c.norm));
  for (int i = 0; i < num_layers; ++i) {
    const LayerContext at{c, load, i, fmt::format("{}encoder.layers.{}.", name, i), nullptr};
    layers_.push_back(make_layer(at));
  }
  if (config.has_post_norm) post_norm_.push_back(load.norm(name + "post_layernorm", n, c.norm));
}

std::vector<int> Vit::positions_of(const PixelTile& tile) const {
  const PatchGrid grid = patch_grid(tile, config_.patch_size);
  std::vector<int> positions;
  if (config_.positions_by_place) {
    HEARTH_CHECK(grid.rows > 0 && grid.columns > 0 && !config_.has_class_token);
    for (const int row : hearth::positions_by_place(grid.rows, config_.side()))
      for (const int column : hearth::positions_by_place(grid.columns, config_.side()))
        positions.push_back(row * config_.side() + column);
    return positions;
  }
  HEARTH_CHECK(grid.rows == config_.side() && grid.columns == config_.side());
  positions.resize(rows_per_tile());
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

// `positions`: of all rows.
Tensor Vit::embed(std::span<const PixelTile> tiles, std::span<const int> positions) const {
  Tensor x = patch_embedding_[0](patches_of(tiles, config_.patch_size), no_adapters());
  if (class_embedding_) {
    const int rows = static_cast<int>(positions.size());
    std::vector<int> class_rows, patch_rows;
    for (int row = 0; row < rows; ++row) (positions[row] == 0 ? class_rows : patch_rows).push_back(row);
    x = ops::replace_rows(Tensor({rows, config_.layers.hidden_size}), patch_rows, x);
    const std::vector<int> zeros(class_rows.size(), 0);
    x = ops::replace_rows(x, class_rows, ops::gather_rows(current(*class_embedding_), zeros));
  }
  return ops::add(x, ops::gather_rows(current(*positions_), positions));
}

Tensor Vit::operator()(std::span<const PixelTile> tiles, const Adapter* adapter) const {
  Batch batch;
  std::vector<int> positions;
  for (const PixelTile& tile : tiles) {
    const auto begin = static_cast<int>(positions.size());
    const std::vector<int> more = positions_of(tile);
    positions.insert(positions.end(), more.begin(), more.end());
    batch.segments.push_back({.begin = begin, .end = static_cast<int>(positions.size()), .adapter = adapter});
  }
  Tensor x = embed(tiles, positions);
  if (!pre_norm_.empty()) x = pre_norm_[0](x);
  for (size_t i = 0; i < layers_.size(); ++i) x = layers_[i]->forward(x, batch, static_cast<int>(i));
  return post_norm_.empty() ? x : post_norm_[0](x);
}

}  // namespace hearth
