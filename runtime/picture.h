// A picture in a sequence of tokens: so many of its rows take the picture's features in the place of an embedding. What
// it shows, and how features come of it, is the model's affair (models/vision).
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/adapter.h"
#include "runtime/tensor.h"

namespace hearth {

struct PictureLayout {
  // Equal for two pictures of a model when all that it sees of them is.
  std::string identity;
  // Of those of its rows that take features, the places behind the picture's first row, ascending.
  std::vector<int> feature_rows;
  // Rows and columns in which they lie, for ropes with sections (Batch::grid_positions); 0, 0: one after another, as
  // words.
  std::array<int, 2> grid = {0, 0};
};

class Picture {
 public:
  virtual ~Picture() = default;
  virtual const PictureLayout& layout() const = 0;
  // On the thread of the model's forward.
  virtual Tensor features(const Adapter* adapter) const = 0;  // -> [feature_rows.size(), hidden_size]
};

struct PlacedPicture {
  int begin = 0;  // its first row in the sequence
  std::shared_ptr<const Picture> picture = {};
};

struct PlacedLayout {
  int begin = 0;
  const PictureLayout* layout = nullptr;
};

// The positions of a sequence's first rows where a picture lies on a grid (transformers' get_rope_index of Qwen2-VL):
// words go on by one on all axes, a picture's rows begin where the word before it ended, and what follows it begins
// behind its longer side. Empty without such a picture.  -> [rows] of (time, row, column)
std::vector<std::array<int, 3>> grid_positions(int rows, std::span<const PlacedLayout> pictures);
std::vector<std::array<int, 3>> grid_positions(int rows, std::span<const PlacedPicture> pictures);

}  // namespace hearth
