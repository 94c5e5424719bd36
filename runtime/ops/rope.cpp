// Cosines and sines depend on a batch's positions only, not on the layer: the last few tables are kept by content, so
// that a forward computes them once and every layer finds them.
#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/base/parallel.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {
namespace {

struct RotationTable {
  // What it was made from.
  std::vector<float> inverse_frequencies;
  float attention_factor = 1.0f;
  std::optional<Rope::Dynamic> dynamic;
  std::vector<int> positions;  // [rows]
  std::vector<int> lengths;    // [rows] of the rows' sequences; empty without dynamic

  Tensor cosines, sines;  // [rows, rotary_dim / 2]

  kernels::Rotation rotation(int64_t heads, int64_t head_dim) const {
    return {cosines.data(), sines.data(), static_cast<int64_t>(inverse_frequencies.size()), heads, head_dim};
  }
};

bool same(const std::optional<Rope::Dynamic>& a, const std::optional<Rope::Dynamic>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->theta == b->theta && a->factor == b->factor && a->original_positions == b->original_positions;
}

// The length of each row's sequence, see Segment::prompt_length. Without a cache a segment is the whole sequence.
std::vector<int> sequence_lengths(const Batch& batch) {
  std::vector<int> lengths(batch.positions.size());
  for (const Segment& s : batch.segments) {
    int known = s.prompt_length;
    if (!batch.cache && s.begin < s.end) known = std::max(known, batch.positions[s.end - 1] + 1);
    for (int r = s.begin; r < s.end; ++r) lengths[r] = std::max(known, batch.positions[r] + 1);
  }
  return lengths;
}

// transformers' _compute_dynamic_ntk_parameters.
std::vector<float> dynamic_frequencies(const Rope::Dynamic& dynamic, size_t pairs, int length) {
  const double dim = 2.0 * static_cast<double>(pairs);
  const double stretch =
      static_cast<double>(dynamic.factor) * length / dynamic.original_positions - (dynamic.factor - 1.0);
  const double base = dynamic.theta * std::pow(stretch, dim / (dim - 2.0));
  std::vector<float> frequencies(pairs);
  for (size_t i = 0; i < pairs; ++i)
    frequencies[i] = 1.0f / static_cast<float>(std::pow(base, 2.0 * static_cast<double>(i) / dim));
  return frequencies;
}

void fill_row(const RotationTable& table, const std::vector<float>& frequencies, int64_t r, float* cosines,
              float* sines) {
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const float angle = static_cast<float>(table.positions[r]) * frequencies[i];  // rounded to f32, as the reference
    cosines[i] = std::cos(angle) * table.attention_factor;
    sines[i] = std::sin(angle) * table.attention_factor;
  }
}

void fill(RotationTable& table) {
  const auto rows = static_cast<int64_t>(table.positions.size());
  const auto pairs = static_cast<int64_t>(table.inverse_frequencies.size());
  table.cosines = Tensor({rows, pairs});
  table.sines = Tensor({rows, pairs});
  constexpr int64_t kGrain = 64;  // rows
  parallel_for(rows, kGrain, [&](int64_t begin, int64_t end) {
    std::vector<float> stretched;
    int stretched_length = 0;
    for (int64_t r = begin; r < end; ++r) {
      const bool is_long = table.dynamic && table.lengths[r] > table.dynamic->original_positions;
      if (is_long && stretched_length != table.lengths[r]) {
        stretched_length = table.lengths[r];
        stretched = dynamic_frequencies(*table.dynamic, table.inverse_frequencies.size(), stretched_length);
      }
      fill_row(table, is_long ? stretched : table.inverse_frequencies, r, table.cosines.row(r), table.sines.row(r));
    }
  });
}

std::shared_ptr<const RotationTable> table_for(const Batch& batch, const Rope& rope) {
  // Two: some models alternate between two ropes.
  thread_local std::array<std::shared_ptr<const RotationTable>, 2> recent;
  const std::vector<int> lengths = rope.dynamic ? sequence_lengths(batch) : std::vector<int>();
  for (const auto& table : recent) {
    if (table && table->positions == batch.positions && table->inverse_frequencies == rope.inverse_frequencies &&
        table->attention_factor == rope.attention_factor && same(table->dynamic, rope.dynamic) &&
        table->lengths == lengths) {
      return table;
    }
  }
  auto made = std::make_shared<RotationTable>();
  made->inverse_frequencies = rope.inverse_frequencies;
  made->attention_factor = rope.attention_factor;
  made->dynamic = rope.dynamic;
  made->positions = batch.positions;
  made->lengths = lengths;
  fill(*made);
  recent[1] = std::move(recent[0]);
  recent[0] = made;
  return made;
}

void check_segments(const Batch& batch) {
  for (const Segment& s : batch.segments) {
    require(0 <= s.begin && s.begin <= s.end && s.end <= static_cast<int>(batch.positions.size()), "rope",
            "a segment of rows [{}, {}) in a batch of {}", s.begin, s.end, batch.positions.size());
  }
}

}  // namespace

Tensor rope(const Tensor& x, const Batch& batch, const Rope& rope) {
  const auto rotary_dim = 2 * static_cast<int64_t>(rope.inverse_frequencies.size());
  require(rope.head_dim > 0 && rotary_dim > 0 && rotary_dim <= rope.head_dim, "rope", "rotates {} of {} dimensions",
          rotary_dim, rope.head_dim);
  require(x.defined() && x.shape().rank() == 2 && x.dim(-1) > 0 && x.dim(-1) % rope.head_dim == 0, "rope",
          "x is {}, must be [tokens, heads * {}]", x.shape(), rope.head_dim);
  require(static_cast<int64_t>(batch.positions.size()) == x.rows(), "rope", "{} positions for x {}",
          batch.positions.size(), x.shape());
  check_segments(batch);
  const std::shared_ptr<const RotationTable> table = table_for(batch, rope);
  const kernels::Rotation rotation = table->rotation(x.dim(-1) / rope.head_dim, rope.head_dim);
  Tensor y(x.shape());
  kernels::rotate(x.data(), rotation, x.rows(), y.data());
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x, table, rotation](const Tensor& dy, Tape& t) {
      kernels::rotate_backward(dy.data(), rotation, dy.rows(), t.grad(x)->data());
    });
  }
  return y;
}

}  // namespace hearth::ops
