#include "finetune/export/changed_tensors.h"

#include <algorithm>
#include <optional>

#include "runtime/base/error.h"

namespace hearth {
namespace {

void check_size(const ModelTensor& tensor, const Tensor& values, int64_t expected) {
  if (static_cast<int64_t>(values.size()) != expected)
    throw invalid_argument("'{}' has {} values after merging, its place in the checkpoint {}", tensor.name,
                           values.size(), expected);
}

}  // namespace

ChangedTensors::ChangedTensors(const WeightSource& source, const MergedModel& merged, ModelTensors tensors)
    : merged_(merged) {
  for (const std::shared_ptr<ModelTensor>& tensor : tensors) {
    if (!merged.changes(*tensor)) continue;
    const std::optional<WeightSource::Place> place = source.place_of(tensor->name);
    if (!place)
      throw invalid_argument(
          "the adapters change '{}', which the checkpoint has in an arrangement that hearth cannot write; serve the "
          "model with its adapters instead",
          tensor->name);
    parts_[std::string(place->tensor)].push_back({tensor.get(), *place});
  }
}

void ChangedTensors::put(std::string_view file_tensor, int64_t rows, int64_t columns,
                         std::vector<float>& values) const {
  for (const Part& part : parts_.at(std::string(file_tensor))) {
    Tensor merged = merged_.values(*part.tensor);
    const float offset = part.tensor->offset + part.place.offset;
    for (float& value : std::span(merged.data(), merged.size())) value -= offset;
    if (part.place.transposed) {
      check_size(*part.tensor, merged, rows * columns);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) values[r * columns + c] = merged.data()[c * rows + r];
    } else if (part.place.order) {
      const std::vector<int64_t>& order = part.place.order->rows;
      check_size(*part.tensor, merged, static_cast<int64_t>(order.size()) * columns);
      for (size_t i = 0; i < order.size(); ++i)
        std::copy_n(merged.data() + static_cast<int64_t>(i) * columns, columns, values.begin() + order[i] * columns);
    } else {
      const int64_t first = part.place.first_row * columns;
      if (first == 0) check_size(*part.tensor, merged, rows * columns);
      HEARTH_CHECK(first + static_cast<int64_t>(merged.size()) <= rows * columns);
      std::copy_n(merged.data(), merged.size(), values.begin() + first);
    }
  }
}

}  // namespace hearth
