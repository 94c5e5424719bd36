// CLIP's and SigLIP's vision transformer (arXiv 2010.11929, 2103.00020, 2303.15343; transformers' CLIPVisionModel and
// SiglipVisionModel).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/decoder.h"
#include "models/vision/image_processor.h"
#include "models/vision/vision_config.h"

namespace hearth {

class Vit {
 public:
  // Its first `num_layers` layers, from tensors below `name` ("model.vision_tower."): the last hidden state is theirs,
  // without the norm that follows all of them.
  Vit(const TowerConfig& config, int num_layers, const std::string& name, LayerLoader& load);
  // Tiles of image_size x image_size; a row for the class token, if there is one, then for each patch, row by row.
  // -> [tiles * rows_per_tile(), hidden_size]
  Tensor operator()(std::span<const PixelTile> tiles, const Adapter* adapter) const;
  int rows_per_tile() const { return config_.side() * config_.side() + (config_.has_class_token ? 1 : 0); }

 private:
  Tensor embed(std::span<const PixelTile> tiles) const;

  TowerConfig config_;
  std::shared_ptr<const ModelTensor> class_embedding_;  // [1, hidden_size] or null
  std::vector<Linear> patch_embedding_;                 // one: [hidden_size, 3 * patch_size * patch_size]
  std::shared_ptr<const ModelTensor> positions_;        // [rows_per_tile, hidden_size]
  std::vector<Norm> pre_norm_;                          // one, or none
  std::vector<std::unique_ptr<const DecoderLayer>> layers_;
};

}  // namespace hearth
