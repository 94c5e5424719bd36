// A tensor of a planned GGUF file, row by row from the checkpoint's: in the order, and with the offset, that reading
// the file will undo.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/gguf_plan.h"

namespace hearth {

class GgufRows {
 public:
  // Both outlive this.
  GgufRows(WeightSource& source, const GgufPlan::Tensor& tensor);
  ~GgufRows();  // gives the checkpoint's pages back
  GgufRows(const GgufRows&) = delete;
  GgufRows& operator=(const GgufRows&) = delete;

  int64_t rows() const { return rows_; }        // of a vector as many as it has values
  int64_t columns() const { return columns_; }  // of a vector 1
  // Rows [begin, end) as f32.
  void read(int64_t begin, int64_t end, float* values);

 private:
  // A part while it is read.
  struct Open {
    const GgufPlan::Part* part;
    Weight matrix;  // or undefined
    Tensor vector;
    std::vector<int64_t> row_of;  // of the file's rows; empty: as they lie
  };
  void open(const GgufPlan::Part& part);
  void read_part(int64_t begin, int64_t end, float* values) const;

  WeightSource& source_;
  const GgufPlan::Tensor& tensor_;
  int64_t rows_, columns_;
  std::optional<Open> open_;
};

}  // namespace hearth
