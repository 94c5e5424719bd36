#include "models/vision/vit.h"

#include <algorithm>
#include <cmath>

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

}  // namespace

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
}

Tensor Vit::embed(std::span<const PixelTile> tiles) const {
  const Tensor patches = patch_embedding_[0](patches_of(tiles, config_.patch_size), no_adapters());
  const int rows = rows_per_tile(), count = static_cast<int>(tiles.size());
  std::vector<int> positions, class_rows, patch_rows;
  for (int row = 0; row < count * rows; ++row) {
    positions.push_back(row % rows);
    (config_.has_class_token && row % rows == 0 ? class_rows : patch_rows).push_back(row);
  }
  Tensor x = patches;
  if (class_embedding_) {
    x = ops::replace_rows(Tensor({int64_t{count} * rows, config_.layers.hidden_size}), patch_rows, patches);
    const std::vector<int> zeros(count, 0);
    x = ops::replace_rows(x, class_rows, ops::gather_rows(current(*class_embedding_), zeros));
  }
  return ops::add(x, ops::gather_rows(current(*positions_), positions));
}

Tensor Vit::operator()(std::span<const PixelTile> tiles, const Adapter* adapter) const {
  Batch batch;
  for (const PixelTile& tile : tiles) {
    HEARTH_CHECK(tile.height / config_.patch_size == config_.side() &&
                 tile.width / config_.patch_size == config_.side());
    const int begin = batch.segments.empty() ? 0 : batch.segments.back().end;
    batch.segments.push_back({.begin = begin, .end = begin + rows_per_tile(), .adapter = adapter});
  }
  Tensor x = embed(tiles);
  if (!pre_norm_.empty()) x = pre_norm_[0](x);
  for (size_t i = 0; i < layers_.size(); ++i) x = layers_[i]->forward(x, batch, static_cast<int>(i));
  return x;
}

}  // namespace hearth
