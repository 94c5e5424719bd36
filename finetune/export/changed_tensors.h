// Which tensors of a file adapters change, and what they become there: in the arrangement of the file (q, k and v in
// one matrix, rows in another order, [in, out], norms plus 1), which models/arranged_weights.h undoes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/adapters/merged_model.h"
#include "runtime/io/weight_source.h"

namespace hearth {

class ChangedTensors {
 public:
  // Everything outlives this. Throws kInvalidArgument for a tensor that adapters change and that the files have in no
  // such arrangement.
  ChangedTensors(const WeightSource& source, const MergedModel& merged, ModelTensors tensors);

  bool has(std::string_view file_tensor) const { return parts_.contains(std::string(file_tensor)); }
  // The file's tensor as f32 [rows, columns] (a vector: [n, 1]), of which the changed values are put in place.
  void put(std::string_view file_tensor, int64_t rows, int64_t columns, std::vector<float>& values) const;

 private:
  struct Part {
    const ModelTensor* tensor;
    WeightSource::Place place;
  };

  const MergedModel& merged_;
  std::unordered_map<std::string, std::vector<Part>> parts_;  // by the file's name
};

}  // namespace hearth
