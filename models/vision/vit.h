// CLIP's and SigLIP's vision transformer (arXiv 2010.11929, 2103.00020, 2303.15343; transformers' CLIPVisionModel and
// SiglipVisionModel), and SigLIP's for tiles of any size (arXiv 2307.06304; transformers' Idefics2VisionTransformer).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/decoder.h"
#include "models/vision/image_processor.h"
#include "models/vision/vision_config.h"

namespace hearth {

// Throws kInvalidArgument unless all are of the tower's image_size.
void check_tiles(const TowerConfig& tower, const ProcessedImage& image);

class Vit {
 public:
  // Its first `num_layers` layers, from tensors below `name` ("model.vision_tower."): the last hidden state is theirs,
  // with the norm that follows all of them only where the config says so.
  Vit(const TowerConfig& config, int num_layers, const std::string& name, LayerLoader& load);
  // Tiles of image_size x image_size, or of any size that has a patch (positions_by_place); tile by tile a row for the
  // class token, if there is one, then for each patch, row by row.  -> [tiles * rows_per_tile(), hidden_size]
  Tensor operator()(std::span<const PixelTile> tiles, const Adapter* adapter) const;
  int rows_per_tile() const { return config_.side() * config_.side() + (config_.has_class_token ? 1 : 0); }

 private:
  std::vector<int> positions_of(const PixelTile& tile) const;
  Tensor embed(std::span<const PixelTile> tiles, std::span<const int> positions) const;

  TowerConfig config_;
  std::shared_ptr<const ModelTensor> class_embedding_;  // [1, hidden_size] or null
  std::vector<Linear> patch_embedding_;                 // one: [hidden_size, 3 * patch_size * patch_size]
  std::shared_ptr<const ModelTensor> positions_;        // [rows_per_tile, hidden_size]
  std::vector<Norm> pre_norm_, post_norm_;              // one, or none
  std::vector<std::unique_ptr<const DecoderLayer>> layers_;
};

}  // namespace hearth
