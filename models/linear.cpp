#include "models/linear.h"

#include <algorithm>
#include <array>
#include <optional>

namespace hearth {
namespace {

// Consecutive rows that go through one adapter's part of a linear map.
struct AdaptedRows {
  int64_t begin, end;
  LowRank* low_rank;
};

std::vector<AdaptedRows> adapted_rows(const Batch& batch, LinearId linear) {
  std::vector<AdaptedRows> runs;
  for (const Segment& segment : batch.segments) {
    LowRank* low_rank = segment.adapter ? segment.adapter->at(linear) : nullptr;
    if (!low_rank) continue;
    if (!runs.empty() && runs.back().low_rank == low_rank && runs.back().end == segment.begin) {
      runs.back().end = segment.end;
    } else {
      runs.push_back({segment.begin, segment.end, low_rank});
    }
  }
  return runs;
}

// Only what the weights' own product can take along.
bool is_plain(const AdaptedRows& run) {
  return !run.low_rank->magnitude && !(run.low_rank->dropout > 0 && Tape::recording());
}

std::vector<ops::LowRankRows> leaves(const std::vector<AdaptedRows>& runs) {
  std::vector<ops::LowRankRows> rows;
  rows.reserve(runs.size());
  for (const AdaptedRows& run : runs)
    rows.push_back({run.begin, run.end, Tape::leaf(run.low_rank->a), Tape::leaf(run.low_rank->b), run.low_rank->scale});
  return rows;
}

// Dropout before the low-rank part, DoRA's lengths behind it (peft's tuners/lora/{layer,dora}.py).
Tensor adapted(const Tensor& x, const ModelTensor& weight, const Tensor& bias, const std::vector<AdaptedRows>& runs,
               const Batch& batch) {
  const Tensor base = ops::linear(x, weight.weight);
  float dropout = 0;
  std::vector<ops::ColumnScale> lengths;
  for (const AdaptedRows& run : runs) {
    LowRank& part = *run.low_rank;
    if (Tape::recording() && part.dropout > 0) dropout = part.dropout;
    if (!part.magnitude) continue;
    const Tensor norms =
        part.norms.defined() ? part.norms : ops::row_norms(weight.weight, part.a.value, part.b.value, part.scale);
    lengths.push_back({run.begin, run.end, Tape::leaf(*part.magnitude), norms});
  }
  const std::vector<ops::LowRankRows> rows = leaves(runs);
  const Tensor dropped = dropout > 0 ? ops::dropout(x, dropout, batch.dropout_seed + 0x9e37u * weight.linear) : x;
  Tensor y = ops::add(base, ops::low_rank(dropped, weight.weight.out(), rows));
  if (!lengths.empty() && dropout == 0) y = ops::scale_columns(y, lengths);
  if (!lengths.empty() && dropout > 0) {
    const Tensor base_dropped = ops::linear(dropped, weight.weight);
    const Tensor scaled =
        ops::scale_columns(ops::add(base_dropped, ops::low_rank(dropped, weight.weight.out(), rows)), lengths);
    y = ops::add(base, ops::add(scaled, ops::scale(base_dropped, -1)));
  }
  return bias.defined() ? ops::add_bias(y, bias) : y;
}

// Some of x's rows, with what they go through.
struct Rows {
  std::vector<int> rows;
  std::vector<AdaptedRows> runs;  // of places in `rows`
  void append(int64_t begin, int64_t end, LowRank* low_rank) {
    const auto first = static_cast<int64_t>(rows.size());
    for (int64_t row = begin; row < end; ++row) rows.push_back(static_cast<int>(row));
    if (low_rank) runs.push_back({first, first + end - begin, low_rank});
  }
};

// Where not all runs are plain, the rows of those that are, and rows without an adapter, are computed as they are
// alone: no row's bits depend on who shares its step.
Tensor partly_plain(const Tensor& x, const ModelTensor& weight, const Tensor& bias,
                    const std::vector<AdaptedRows>& runs, const Batch& batch) {
  Rows plain, others;
  int64_t at = 0;
  for (const AdaptedRows& run : runs) {
    plain.append(at, run.begin, nullptr);
    (is_plain(run) ? plain : others).append(run.begin, run.end, run.low_rank);
    at = run.end;
  }
  plain.append(at, x.rows(), nullptr);
  if (plain.rows.empty()) return adapted(x, weight, bias, runs, batch);
  const std::vector<ops::LowRankRows> low_ranks = leaves(plain.runs);
  const ops::Projection projection{&weight.weight, bias.defined() ? &bias : nullptr, low_ranks};
  const std::vector<Tensor> y = ops::linear(ops::gather_rows(x, plain.rows), {&projection, 1});
  const Tensor other_y = adapted(ops::gather_rows(x, others.rows), weight, bias, others.runs, batch);
  const Tensor all = ops::replace_rows(Tensor::zeros({x.rows(), weight.weight.out()}), plain.rows, y.front());
  return ops::replace_rows(all, others.rows, other_y);
}

}  // namespace

const Batch& no_adapters() {
  static const Batch batch;
  return batch;
}

Tensor current(const ModelTensor& vector) { return vector.trained ? Tape::leaf(*vector.trained) : vector.value; }

Tensor Linear::operator()(const Tensor& x, const Batch& batch) const {
  const std::array<const Linear*, 1> one{this};
  return std::move(project(x, one, batch).front());
}

std::vector<Tensor> project(const Tensor& x, std::span<const Linear* const> linears, const Batch& batch) {
  std::vector<Tensor> y(linears.size()), biases(linears.size());
  std::vector<std::vector<ops::LowRankRows>> low_ranks(linears.size());
  std::vector<ops::Projection> together;
  std::vector<size_t> places;
  together.reserve(linears.size());
  for (size_t i = 0; i < linears.size(); ++i) {
    const ModelTensor& weight = *linears[i]->weight_;
    if (linears[i]->bias_) biases[i] = current(*linears[i]->bias_);
    const std::vector<AdaptedRows> runs = adapted_rows(batch, weight.linear);
    if (weight.trained) {
      y[i] = ops::linear(x, Tape::leaf(*weight.trained), biases[i], weight.weight);
    } else if (!std::all_of(runs.begin(), runs.end(), is_plain)) {
      y[i] = partly_plain(x, weight, biases[i], runs, batch);
    } else {
      low_ranks[i] = leaves(runs);
      together.push_back({&weight.weight, biases[i].defined() ? &biases[i] : nullptr, low_ranks[i]});
      places.push_back(i);
    }
  }
  if (together.empty()) return y;
  std::vector<Tensor> computed = ops::linear(x, together);
  for (size_t i = 0; i < places.size(); ++i) y[places[i]] = std::move(computed[i]);
  return y;
}

}  // namespace hearth
