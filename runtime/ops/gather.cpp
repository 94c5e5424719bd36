// Rows by index: of a frozen table (embedding) and of a tensor.
#include <algorithm>

#include "runtime/base/parallel.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {

Tensor embedding(std::span<const TokenId> ids, const Weight& table) {
  require(table.defined(), "embedding", "the table is undefined");
  for (size_t i = 0; i < ids.size(); ++i) {
    require(ids[i] >= 0 && ids[i] < table.out(), "embedding", "id {} in row {}, must be at least 0 and below {}",
            ids[i], i, table.out());
  }
  Tensor y({static_cast<int64_t>(ids.size()), table.in()});
  constexpr int64_t kGrain = 32;  // rows
  parallel_for(y.rows(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) table.dequantize_rows(ids[r], ids[r] + 1, y.row(r));
  });
  return y;
}

Tensor gather_rows(const Tensor& x, std::span<const int> rows) {
  require(x.defined() && x.shape().rank() == 2, "gather_rows", "x is {}, must be [tokens, n]", x.shape());
  for (const int row : rows)
    require(row >= 0 && row < x.rows(), "gather_rows", "row {} of x {} does not exist", row, x.shape());
  Tensor y({static_cast<int64_t>(rows.size()), x.dim(-1)});
  const int64_t grain = 1 + (16 << 10) / (1 + x.dim(-1));  // rows that are worth a thread
  parallel_for(y.rows(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) std::copy_n(x.row(rows[r]), x.dim(-1), y.row(r));
  });
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x, indices = std::vector<int>(rows.begin(), rows.end())](const Tensor& dy, Tape& t) {
      Tensor* dx = t.grad(x);
      for (size_t i = 0; i < indices.size(); ++i)
        kernels::add_scaled(dy.row(static_cast<int64_t>(i)), 1.0f, dy.dim(-1), dx->row(indices[i]));
    });
  }
  return y;
}

}  // namespace hearth::ops
