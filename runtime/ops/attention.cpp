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

// k and v must have `keys` rows.
void check_shapes(const Tensor& q, const Tensor& k, const Tensor& v, int64_t keys, const AttentionSpec& spec) {
  require(spec.head_dim >= 8 && spec.head_dim <= 256 && spec.head_dim % 8 == 0, kOp,
          "head_dim is {}, must be a multiple of 8 from 8 to 256", spec.head_dim);
  require(spec.num_kv_heads >= 1 && spec.num_heads >= 1 && spec.num_heads % spec.num_kv_heads == 0, kOp,
          "num_heads is {}, must be a multiple of num_kv_heads {}", spec.num_heads, spec.num_kv_heads);
  require(spec.window >= 0 && spec.softcap >= 0, kOp, "window {} and softcap {}, must be at least 0", spec.window,
          spec.softcap);
  require(spec.causal || spec.window == 0, kOp, "a window of {} where attention is not causal", spec.window);
  const int64_t width = int64_t{spec.num_heads} * spec.head_dim, kv_width = int64_t{spec.num_kv_heads} * spec.head_dim;
  require(q.defined() && q.shape() == Shape{q.rows(), width}, kOp, "q is {}, must be [tokens, {}]", q.shape(), width);
  for (const Tensor* x : {&k, &v}) {
    require(x->defined() && x->shape() == Shape{keys, kv_width}, kOp, "k and v are {} and {}, must be [{}, {}]",
            k.shape(), v.shape(), keys, kv_width);
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

kernels::AttentionShape shape_of(const AttentionSpec& spec) {
  return {spec.num_heads, spec.num_kv_heads, spec.head_dim, spec.scale,
          spec.window,    spec.softcap,      spec.causal,   spec.in_bf16};
}

// Without a cache: to keys and values that are rows of tensors.
Tensor attend(const Tensor& q, const Tensor& keys, const Tensor& values,
              std::vector<kernels::AttentionSegment> segments, const kernels::AttentionShape& shape) {
  Tensor y(q.shape());
  Tape* tape = Tape::wanted_by(q, keys, values);
  Tensor log_sums = tape ? Tensor({q.rows(), shape.num_heads}) : Tensor();
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

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Batch& batch, int layer,
                 const AttentionSpec& spec) {
  check_shapes(q, k, v, q.rows(), spec);
  const kernels::AttentionShape shape = shape_of(spec);
  std::vector<kernels::AttentionSegment> segments = checked_segments(batch, q.rows());
  const bool has_past = std::any_of(segments.begin(), segments.end(), [](const auto& s) { return s.past > 0; });
  require(spec.causal || (!batch.cache && !has_past), kOp, "a cache or a past where attention is not causal");
  if (batch.cache) {
    require(!Tape::recording(), kOp, "a tape records, but gradients do not cross a KV cache");
    const kernels::CacheView cache = view_of(*batch.cache, layer, spec);
    Tensor y(q.shape());
    kernels::append(shape, k.data(), v.data(), segments, cache);
    kernels::attend_cached(shape, q.data(), segments, cache, y.data());
    return y;
  }
  if (!has_past) return attend(q, k, v, std::move(segments), shape);
  const std::vector<int> rows = rows_of_sequences(batch.segments);
  return attend(q, gather_rows(k, rows), gather_rows(v, rows), std::move(segments), shape);
}

Tensor cross_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const CrossSegment> segments,
                       const AttentionSpec& spec) {
  check_shapes(q, k, v, k.defined() ? k.rows() : 0, spec);
  require(!spec.causal, kOp, "to another sequence is never causal");
  std::vector<kernels::AttentionSegment> checked;
  checked.reserve(segments.size());
  int next = 0, next_key = 0;
  for (const CrossSegment& s : segments) {
    require(s.begin == next && s.begin < s.end && s.key_begin == next_key && s.key_begin < s.key_end, kOp,
            "rows [{}, {}) to keys [{}, {}), must be some rows from {} on to some keys from {} on", s.begin, s.end,
            s.key_begin, s.key_end, next, next_key);
    checked.push_back({s.begin, s.end, (s.key_end - s.key_begin) - (s.end - s.begin), nullptr});
    next = s.end;
    next_key = s.key_end;
  }
  require(next == q.rows() && next_key == k.rows(), kOp, "segments cover {} of {} rows and {} of {} keys", next,
          q.rows(), next_key, k.rows());
  return attend(q, k, v, std::move(checked), shape_of(spec));
}

}  // namespace hearth::ops
