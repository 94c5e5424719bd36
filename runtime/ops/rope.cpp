// Cosines and sines depend on a batch's positions only, not on the layer: the last few tables are kept by content, so
// that a forward computes them once and every layer finds them.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <variant>
#include <vector>

#include "runtime/base/parallel.h"
#include "runtime/kernels/rows.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {
namespace {

struct RotationTable {
  // What it was made from.
  Rope rope;
  std::vector<int> positions;                      // [rows]
  std::vector<std::array<int, 3>> grid_positions;  // [rows]; empty where they do not matter
  std::vector<int> lengths;                        // [rows] of the rows' sequences; empty where they do not matter

  Tensor cosines, sines;  // as kernels::Rotation has them

  kernels::Rotation rotation(int64_t heads) const {
    return {cosines.data(),
            sines.data(),
            static_cast<int64_t>(rope.inverse_frequencies.size()),
            rope.pairs == RopePairs::kNeighbours,
            heads,
            rope.head_dim};
  }
};

// The length of each row's sequence, see Segment::prompt_length. Without a cache a segment ends its sequence.
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

// The frequencies of a row's sequence, made once for rows of the same length.
class Frequencies {
 public:
  explicit Frequencies(const Rope& rope) : rope_(rope) {}

  const std::vector<float>& of(int length) {
    if (const auto* by = std::get_if<Rope::Long>(&rope_.by_length))
      return length > by->original_positions ? by->inverse_frequencies : rope_.inverse_frequencies;
    const auto* by = std::get_if<Rope::Dynamic>(&rope_.by_length);
    if (!by || length <= by->original_positions) return rope_.inverse_frequencies;
    if (length != length_) {
      stretched_ = dynamic_frequencies(*by, rope_.inverse_frequencies.size(), length);
      length_ = length;
    }
    return stretched_;
  }

 private:
  const Rope& rope_;
  std::vector<float> stretched_;
  int length_ = 0;
};

// position: in time, row and column.
void fill_row(const Rope& rope, const std::array<int, 3>& position, const std::vector<float>& frequencies,
              float* cosines, float* sines) {
  const auto rows_from = static_cast<size_t>(rope.sections[0]), columns_from = rows_from + rope.sections[1];
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const int axis = i < rows_from ? 0 : i < columns_from ? 1 : 2;
    const float angle = static_cast<float>(position[axis]) * frequencies[i];  // rounded to f32, as the reference
    const float c = std::cos(angle) * rope.attention_factor, s = std::sin(angle) * rope.attention_factor;
    if (rope.pairs == RopePairs::kHalves) {
      cosines[i] = c;
      sines[i] = s;
    } else {
      cosines[2 * i] = cosines[2 * i + 1] = c;
      sines[2 * i] = -s;
      sines[2 * i + 1] = s;
    }
  }
}

void fill(RotationTable& table) {
  const auto rows = static_cast<int64_t>(table.positions.size());
  const auto pairs = static_cast<int64_t>(table.rope.inverse_frequencies.size());
  const int64_t angles = table.rope.pairs == RopePairs::kHalves ? pairs : 2 * pairs;
  table.cosines = Tensor({rows, angles});
  table.sines = Tensor({rows, angles});
  constexpr int64_t kGrain = 64;  // rows
  parallel_for(rows, kGrain, [&](int64_t begin, int64_t end) {
    Frequencies frequencies(table.rope);
    for (int64_t r = begin; r < end; ++r) {
      const int p = table.positions[r];
      fill_row(table.rope, table.grid_positions.empty() ? std::array{p, p, p} : table.grid_positions[r],
               frequencies.of(table.lengths.empty() ? 0 : table.lengths[r]), table.cosines.row(r), table.sines.row(r));
    }
  });
}

std::shared_ptr<const RotationTable> table_for(const Batch& batch, const Rope& rope) {
  // Two: some models alternate between two ropes.
  thread_local std::array<std::shared_ptr<const RotationTable>, 2> recent;
  const bool by_length = !std::holds_alternative<std::monostate>(rope.by_length);
  const std::vector<int> lengths = by_length ? sequence_lengths(batch) : std::vector<int>();
  const bool by_grid = rope.sections != std::array<int, 3>{};
  const std::vector<std::array<int, 3>> no_grid, &grid = by_grid ? batch.grid_positions : no_grid;
  for (const auto& table : recent) {
    if (table && table->positions == batch.positions && table->rope == rope && table->grid_positions == grid &&
        table->lengths == lengths)
      return table;
  }
  auto made = std::make_shared<RotationTable>();
  made->rope = rope;
  made->positions = batch.positions;
  made->grid_positions = grid;
  made->lengths = lengths;
  fill(*made);
  recent[1] = std::move(recent[0]);
  recent[0] = made;
  return made;
}

void check_sections(const Rope& rope, const Batch& batch) {
  const auto& [time, row, column] = rope.sections;
  const auto pairs = static_cast<int64_t>(rope.inverse_frequencies.size());
  const int64_t sum = int64_t{time} + row + column;
  require(time >= 0 && row >= 0 && column >= 0 && (sum == 0 || sum == pairs), "rope",
          "sections of {}, {} and {} pairs, must be {} in sum or none", time, row, column, pairs);
  require(batch.grid_positions.empty() || batch.grid_positions.size() == batch.positions.size(), "rope",
          "{} grid positions for {} rows", batch.grid_positions.size(), batch.positions.size());
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
  const auto* by = std::get_if<Rope::Long>(&rope.by_length);
  require(!by || by->inverse_frequencies.size() == rope.inverse_frequencies.size(), "rope",
          "{} frequencies of long sequences, must be {}", by ? by->inverse_frequencies.size() : 0,
          rope.inverse_frequencies.size());
  check_sections(rope, batch);
  check_segments(batch);
  const std::shared_ptr<const RotationTable> table = table_for(batch, rope);
  const kernels::Rotation rotation = table->rotation(x.dim(-1) / rope.head_dim);
  Tensor y(x.shape());
  kernels::rotate(x.data(), rotation, x.rows(), y.data());
  if (Tape* tape = Tape::wanted_by(x)) {
    tape->record(y, [x = x.on_tape(), table, rotation](const Tensor& dy, Tape& t) {
      kernels::rotate_backward(dy.data(), rotation, dy.rows(), t.sum(x));
    });
  }
  return y;
}

}  // namespace hearth::ops
