// Rows by index: of a frozen table (embedding) and of a tensor, and others in their place.
#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/base/parallel.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {

namespace {

void check_ids(std::span<const TokenId> ids, int64_t rows) {
  for (size_t i = 0; i < ids.size(); ++i)
    require(ids[i] >= 0 && ids[i] < rows, "embedding", "id {} in row {}, must be at least 0 and below {}", ids[i], i,
            rows);
}

}  // namespace

Tensor embedding(std::span<const TokenId> ids, const Weight& table) {
  require(table.defined(), "embedding", "the table is undefined");
  check_ids(ids, table.out());
  Tensor y({static_cast<int64_t>(ids.size()), table.in()});
  constexpr int64_t kGrain = 32;  // rows
  parallel_for(y.rows(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) table.dequantize_rows(ids[r], ids[r] + 1, y.row(r));
  });
  return y;
}

Tensor embedding(std::span<const TokenId> ids, const Tensor& table) {
  require(table.defined() && table.shape().rank() == 2, "embedding", "the table is {}, must be [rows, n]",
          table.shape());
  check_ids(ids, table.dim(0));
  return gather_rows(table, ids);
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
    tape->record(y, [x = x.on_tape(), indices = std::vector<int>(rows.begin(), rows.end())](const Tensor& dy, Tape& t) {
      Tensor* dx = t.grad(x);
      for (size_t i = 0; i < indices.size(); ++i)
        kernels::add_scaled(dy.row(static_cast<int64_t>(i)), 1.0f, dy.dim(-1), dx->row(indices[i]));
    });
  }
  return y;
}

Tensor join_rows(std::span<const Tensor> parts) {
  constexpr const char* kOp = "join_rows";
  require(!parts.empty(), kOp, "there are no parts");
  int64_t rows = 0;
  for (const Tensor& part : parts) {
    require(part.defined() && part.shape().rank() == 2 && part.dim(-1) == parts[0].dim(-1), kOp,
            "a part is {}, must be [rows, {}]", part.shape(), parts[0].dim(-1));
    rows += part.rows();
  }
  if (parts.size() == 1) return parts[0];
  Tensor y({rows, parts[0].dim(-1)});
  float* to = y.data();
  for (const Tensor& part : parts) to = std::copy_n(part.data(), part.size(), to);
  Tape* tape = nullptr;
  for (const Tensor& part : parts)
    if (Tape* wanted = Tape::wanted_by(part)) tape = wanted;
  if (!tape) return y;
  std::vector<Tensor> on_tape;
  for (const Tensor& part : parts) on_tape.push_back(part.on_tape());
  tape->record(y, [on_tape = std::move(on_tape)](const Tensor& dy, Tape& t) {
    int64_t begin = 0;
    for (const Tensor& part : on_tape) {
      if (Tensor* dpart = t.grad(part))
        kernels::add_scaled(dy.row(begin), 1.0f, static_cast<int64_t>(part.size()), dpart->data());
      begin += part.rows();
    }
  });
  return y;
}

Tensor replace_rows(const Tensor& x, std::span<const int> rows, const Tensor& values) {
  constexpr const char* kOp = "replace_rows";
  require(x.defined() && x.shape().rank() == 2, kOp, "x is {}, must be [tokens, n]", x.shape());
  const int64_t n = x.dim(-1);
  require(values.defined() && values.shape() == Shape{static_cast<int64_t>(rows.size()), n}, kOp,
          "values are {}, must be [{}, {}]", values.shape(), rows.size(), n);
  std::vector<int> source(x.rows(), -1);  // of each row, the row of values; -1: x's own
  for (size_t i = 0; i < rows.size(); ++i) {
    require(rows[i] >= 0 && rows[i] < x.rows(), kOp, "row {} of x {} does not exist", rows[i], x.shape());
    require(source[rows[i]] < 0, kOp, "row {} is replaced twice", rows[i]);
    source[rows[i]] = static_cast<int>(i);
  }
  Tensor y(x.shape());
  for (int64_t r = 0; r < y.rows(); ++r) std::copy_n(source[r] < 0 ? x.row(r) : values.row(source[r]), n, y.row(r));
  if (Tape* tape = Tape::wanted_by(x, values)) {
    tape->record(y, [x, values, source = std::move(source)](const Tensor& dy, Tape& t) {
      Tensor* dx = t.grad(x);
      Tensor* dvalues = t.grad(values);
      for (int64_t r = 0; r < dy.rows(); ++r) {
        Tensor* target = source[r] < 0 ? dx : dvalues;
        if (target) kernels::add_scaled(dy.row(r), 1.0f, dy.dim(-1), target->row(source[r] < 0 ? r : source[r]));
      }
    });
  }
  return y;
}

}  // namespace hearth::ops
