#include "runtime/kernels/attention.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "runtime/kv_cache.h"
#include "runtime/ops/checks.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {
namespace {

constexpr const char* kOp = "attention";

void check_shapes(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionSpec& spec) {
  require(spec.head_dim >= 8 && spec.head_dim <= 256 && spec.head_dim % 8 == 0, kOp,
          "head_dim is {}, must be a multiple of 8 from 8 to 256", spec.head_dim);
  require(spec.num_kv_heads >= 1 && spec.num_heads >= 1 && spec.num_heads % spec.num_kv_heads == 0, kOp,
          "num_heads is {}, must be a multiple of num_kv_heads {}", spec.num_heads, spec.num_kv_heads);
  require(spec.window >= 0 && spec.softcap >= 0, kOp, "window {} and softcap {}, must be at least 0", spec.window,
          spec.softcap);
  const int64_t width = int64_t{spec.num_heads} * spec.head_dim, kv_width = int64_t{spec.num_kv_heads} * spec.head_dim;
  require(q.defined() && q.shape() == Shape{q.rows(), width}, kOp, "q is {}, must be [tokens, {}]", q.shape(), width);
  for (const Tensor* x : {&k, &v}) {
    require(x->defined() && x->shape() == Shape{q.rows(), kv_width}, kOp, "k and v are {} and {}, must be [{}, {}]",
            k.shape(), v.shape(), q.rows(), kv_width);
  }
}

void check_cache(const Segment& s, const KvCache& cache) {
  const int64_t tokens = int64_t{s.past} + s.end - s.begin;
  const int64_t blocks = (tokens + kBlockTokens - 1) / kBlockTokens;
  require(s.blocks && static_cast<int64_t>(s.blocks->size()) >= blocks, kOp, "{} blocks for {} tokens, must be {}",
          s.blocks ? s.blocks->size() : 0, tokens, blocks);
  for (int64_t b = 0; b < blocks; ++b) {
    require((*s.blocks)[b] >= 0 && (*s.blocks)[b] < cache.num_blocks(), kOp, "block {} of a cache of {}",
            (*s.blocks)[b], cache.num_blocks());
  }
}

void check_shared(const Segment& s, std::span<const Segment> earlier) {
  const bool is_there = std::any_of(earlier.begin(), earlier.end(), [&](const Segment& e) {
    return e.begin == s.past_begin && e.past == 0 && s.past <= e.end - e.begin;
  });
  require(is_there, kOp,
          "a segment of rows [{}, {}) after rows [{}, {}), which must be the first of an earlier segment without "
          "a past",
          s.begin, s.end, s.past_begin, int64_t{s.past_begin} + s.past);
}

// Those that have rows.
std::vector<kernels::AttentionSegment> checked_segments(const Batch& batch, int64_t rows) {
  std::vector<kernels::AttentionSegment> segments;
  segments.reserve(batch.segments.size());
  int64_t next = 0;
  for (const Segment& s : batch.segments) {
    require(s.begin == next && s.begin <= s.end && s.past >= 0, kOp,
            "a segment of rows [{}, {}) after {} tokens, must begin at row {}", s.begin, s.end, s.past, next);
    if (batch.cache) {
      check_cache(s, *batch.cache);
    } else if (s.past > 0) {
      check_shared(s, {batch.segments.data(), static_cast<size_t>(&s - batch.segments.data())});
    }
    if (s.begin < s.end) segments.push_back({s.begin, s.end, s.past, batch.cache ? s.blocks->data() : nullptr});
    next = s.end;
  }
  require(next == rows, kOp, "segments cover {} of {} rows", next, rows);
  return segments;
}

// Of the batch without a cache: the past and the own rows of one segment after another, of those that have rows.
std::vector<int> rows_of_sequences(const std::vector<Segment>& segments) {
  std::vector<int> rows;
  const auto add = [&](int begin, int end) {
    for (int row = begin; row < end; ++row) rows.push_back(row);
  };
  for (const Segment& s : segments) {
    if (s.begin == s.end) continue;
    add(s.past_begin, s.past_begin + s.past);
    add(s.begin, s.end);
  }
  return rows;
}

kernels::CacheView view_of(KvCache& cache, int layer, const AttentionSpec& spec) {
  const KvCache::Dims& dims = cache.dims();
  require(layer >= 0 && layer < dims.num_layers, kOp, "layer {} of a cache of {}", layer, dims.num_layers);
  require(dims.num_kv_heads == spec.num_kv_heads && dims.head_dim == spec.head_dim, kOp,
          "{} kv heads of {} with a cache for {} of {}", spec.num_kv_heads, spec.head_dim, dims.num_kv_heads,
          dims.head_dim);
  const size_t bytes = cache.block_elements() * cache.element_bytes();
  return {cache.keys(layer, 0), cache.values(layer, 0), 2 * bytes, bytes / dims.num_kv_heads,
          cache.format() == KvFormat::kF16};
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Batch& batch, int layer,
                 const AttentionSpec& spec) {
  check_shapes(q, k, v, spec);
  const kernels::AttentionShape shape{spec.num_heads, spec.num_kv_heads, spec.head_dim,
                                      spec.scale,     spec.window,       spec.softcap};
  std::vector<kernels::AttentionSegment> segments = checked_segments(batch, q.rows());
  Tensor y(q.shape());
  if (batch.cache) {
    require(!Tape::recording(), kOp, "a tape records, but gradients do not cross a KV cache");
    const kernels::CacheView cache = view_of(*batch.cache, layer, spec);
    kernels::append(shape, k.data(), v.data(), segments, cache);
    kernels::attend_cached(shape, q.data(), segments, cache, y.data());
    return y;
  }
  const bool shares = std::any_of(segments.begin(), segments.end(), [](const auto& s) { return s.past > 0; });
  const std::vector<int> rows = shares ? rows_of_sequences(batch.segments) : std::vector<int>();
  const Tensor keys = shares ? gather_rows(k, rows) : k, values = shares ? gather_rows(v, rows) : v;
  Tape* tape = Tape::wanted_by(q, keys, values);
  Tensor log_sums = tape ? Tensor({q.rows(), spec.num_heads}) : Tensor();
  kernels::attend(shape, q.data(), keys.data(), values.data(), segments, y.data(), tape ? log_sums.data() : nullptr);
  if (tape) {
    tape->record(y, [q = tape->keep(q), k = tape->keep(keys), v = tape->keep(values), y = tape->keep(y), log_sums,
                     shape, segments = std::move(segments)](const Tensor& dy, Tape& t) {
      kernels::attend_backward(
          shape,
          {q.value().data(), k.value().data(), v.value().data(), y.value().data(), dy.data(), log_sums.data(),
           t.sum(q.place()), t.sum(k.place()), t.sum(v.place()), t.precision() == KeptPrecision::kBFloat16},
          segments);
    });
  }
  return y;
}

}  // namespace hearth::ops
