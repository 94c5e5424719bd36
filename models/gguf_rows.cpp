#include "models/gguf_rows.h"

#include <algorithm>
#include <numeric>

#include "runtime/base/error.h"

namespace hearth {

GgufRows::GgufRows(WeightSource& source, const GgufPlan::Tensor& tensor)
    : source_(source), tensor_(tensor), columns_(tensor.dims.size() > 1 ? tensor.dims.front() : 1) {
  rows_ = std::accumulate(tensor.dims.begin(), tensor.dims.end(), int64_t{1}, std::multiplies<>()) / columns_;
}

GgufRows::~GgufRows() {
  for (const GgufPlan::Part& part : tensor_.parts) source_.release_pages(part.name);
}

void GgufRows::open(const GgufPlan::Part& part) {
  if (open_ && open_->part == &part) return;
  Open next{&part, {}, {}, {}};
  if (part.shape.size() == 2) {
    next.matrix = source_.matrix(part.name, part.shape[0], part.shape[1]);
  } else {
    next.vector = source_.vector(part.name, part.shape[0]);
    for (float& value : std::span(next.vector.data(), next.vector.size())) value -= part.place.offset;
  }
  if (part.place.order) {
    const std::vector<int64_t>& rows = part.place.order->rows;
    next.row_of.resize(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) next.row_of[static_cast<size_t>(rows[i])] = static_cast<int64_t>(i);
  }
  open_.emplace(std::move(next));
}

void GgufRows::read_part(int64_t begin, int64_t end, float* values) const {
  const auto copy = [&](int64_t first, int64_t last, float* to) {
    if (open_->matrix.defined()) {
      open_->matrix.dequantize_rows(first, last, to);
    } else {
      std::copy(open_->vector.data() + first * columns_, open_->vector.data() + last * columns_, to);
    }
  };
  if (open_->row_of.empty()) return copy(begin, end, values);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t from = open_->row_of[static_cast<size_t>(row)];
    copy(from, from + 1, values + (row - begin) * columns_);
  }
}

void GgufRows::read(int64_t begin, int64_t end, float* values) {
  if (!tensor_.values.empty()) {
    std::copy(tensor_.values.begin() + begin * columns_, tensor_.values.begin() + end * columns_, values);
    return;
  }
  const int64_t rows_each = rows_ / static_cast<int64_t>(tensor_.parts.size());
  while (begin < end) {
    const GgufPlan::Part& part = tensor_.parts[static_cast<size_t>(begin / rows_each)];
    const int64_t first = part.place.first_row, last = std::min(end, first + rows_each);
    open(part);
    read_part(begin - first, last - first, values);
    values += (last - begin) * columns_;
    begin = last;
  }
}

}  // namespace hearth
