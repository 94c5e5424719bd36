#include "runtime/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <omp.h>

#include "runtime/base/random.h"
#include "tests/runtime/kernels/isas.h"

namespace hearth::kernels {
namespace {

constexpr int kTokens = 16;  // of a block
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Values = std::vector<float>;

Values random_values(int64_t n, uint64_t seed) {
  Random random(seed);
  Values values(n);
  for (float& v : values) v = random.normal();
  return values;
}

AttentionShape shape_of(int heads, int kv_heads, int head_dim, int window = 0, float softcap = 0) {
  return {heads, kv_heads, head_dim, 1.f / std::sqrt(static_cast<float>(head_dim)), window, softcap};
}

const AttentionShape kShapes[] = {shape_of(9, 3, 64),           shape_of(2, 2, 8),       shape_of(4, 1, 24),
                                  shape_of(8, 2, 128),          shape_of(3, 1, 80),      shape_of(2, 1, 256),
                                  shape_of(50, 1, 8),           shape_of(4, 2, 64, 1),   shape_of(4, 2, 32, 10),
                                  shape_of(3, 1, 24, 64),       shape_of(50, 1, 8, 33),  shape_of(4, 2, 64, 0, 1.5f),
                                  shape_of(2, 1, 24, 40, 0.7f), shape_of(2, 2, 16, 1000)};

// Random rows of one or more sequences.
struct Inputs {
  Inputs(const AttentionShape& s, int64_t rows)
      : shape(s),
        tokens(rows),
        q(random_values(rows * s.num_heads * s.head_dim, 1)),
        k(random_values(rows * s.num_kv_heads * s.head_dim, 2)),
        v(random_values(rows * s.num_kv_heads * s.head_dim, 3)) {}
  int64_t q_width() const { return int64_t{shape.num_heads} * shape.head_dim; }
  int64_t kv_width() const { return int64_t{shape.num_kv_heads} * shape.head_dim; }

  AttentionShape shape;
  int64_t tokens;
  Values q, k, v;
};

// A layer of a cache whose untouched elements are nan, and a table that scatters blocks.
class Cache {
 public:
  Cache(const AttentionShape& shape, int64_t tokens, bool is_f16) {
    const int64_t blocks = (tokens + kTokens - 1) / kTokens;
    const size_t element = is_f16 ? 2 : 4;
    const size_t head = size_t{kTokens} * shape.head_dim * element, half = head * shape.num_kv_heads;
    bytes_.resize(2 * half * blocks);
    for (size_t i = 0; i < bytes_.size(); i += element) {
      const uint16_t nan16 = 0x7e00;
      std::memcpy(&bytes_[i], is_f16 ? static_cast<const void*>(&nan16) : &kNan, element);
    }
    for (int64_t b = 0; b < blocks; ++b) table_.push_back(static_cast<int32_t>(blocks - 1 - b));
    view_ = {bytes_.data(), bytes_.data() + half, 2 * half, head, is_f16};
  }
  const CacheView& view() const { return view_; }
  const int32_t* table() const { return table_.data(); }

 private:
  std::vector<std::byte> bytes_;
  std::vector<int32_t> table_;
  CacheView view_;
};

// Rows [begin, end) of the one sequence that `in` is, appended and attended to; y as if for all rows.
void attend_chunk(const Inputs& in, const Cache& cache, int64_t begin, int64_t end, Isa isa, Values& y) {
  const AttentionSegment segment = {0, end - begin, static_cast<int>(begin), cache.table()};
  append(in.shape, &in.k[begin * in.kv_width()], &in.v[begin * in.kv_width()], {&segment, 1}, cache.view(), isa);
  attend_cached(in.shape, &in.q[begin * in.q_width()], {&segment, 1}, cache.view(), &y[begin * in.q_width()], isa);
}

Values attend_in_chunks(const Inputs& in, int64_t chunk, bool is_f16, Isa isa) {
  const Cache cache(in.shape, in.tokens, is_f16);
  Values y(in.q.size(), kNan);
  for (int64_t row = 0; row < in.tokens; row += chunk)
    attend_chunk(in, cache, row, std::min(row + chunk, in.tokens), isa, y);
  return y;
}

Values attend_without_cache(const Inputs& in, Isa isa, Values* log_sums = nullptr) {
  Values y(in.q.size(), kNan);
  const AttentionSegment segment = {0, in.tokens, 0, nullptr};
  if (log_sums) log_sums->assign(in.tokens * in.shape.num_heads, kNan);
  attend(in.shape, in.q.data(), in.k.data(), in.v.data(), {&segment, 1}, y.data(),
         log_sums ? log_sums->data() : nullptr, isa);
  return y;
}

// softmax(q k^T) v in double; also the softmax's log sum.
Values define(const Inputs& in, Values& log_sums) {
  const int d = in.shape.head_dim, group = in.shape.num_heads / in.shape.num_kv_heads;
  Values y(in.q.size());
  for (int64_t t = 0; t < in.tokens; ++t) {
    for (int h = 0; h < in.shape.num_heads; ++h) {
      std::vector<double> p(t + 1), sum(d);
      double largest = -1e300, total = 0;
      const int64_t from = in.shape.window > 0 ? std::max<int64_t>(0, t + 1 - in.shape.window) : 0;
      for (int64_t j = from; j <= t; ++j) {
        for (int i = 0; i < d; ++i)
          p[j] += double{in.q[t * in.q_width() + h * d + i]} * in.k[j * in.kv_width() + h / group * d + i];
        p[j] *= in.shape.scale;
        if (in.shape.softcap != 0) p[j] = in.shape.softcap * std::tanh(p[j] / in.shape.softcap);
        largest = std::max(largest, p[j]);
      }
      for (int64_t j = from; j <= t; ++j) total += p[j] = std::exp(p[j] - largest);
      for (int64_t j = from; j <= t; ++j)
        for (int i = 0; i < d; ++i) sum[i] += p[j] / total * in.v[j * in.kv_width() + h / group * d + i];
      for (int i = 0; i < d; ++i) y[t * in.q_width() + h * d + i] = static_cast<float>(sum[i]);
      log_sums.push_back(static_cast<float>(largest + std::log(total)));
    }
  }
  return y;
}

double largest_difference(const Values& a, const Values& b) {
  double largest = a.size() == b.size() ? 0 : 1e300;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const double difference = std::abs(double{a[i]} - b[i]);
    largest = difference <= largest ? largest : difference;  // nan counts
  }
  return largest;
}

Values gradients(const Inputs& in, Isa isa, bool in_bf16 = false) {
  Values log_sums;
  const Values y = attend_without_cache(in, isa, &log_sums), dy = random_values(in.q.size(), 4);
  Values dq(in.q.size(), 0.5f), dk(in.k.size(), 0.25f), dv(in.v.size(), 0.125f);
  const AttentionSegment segment = {0, in.tokens, 0, nullptr};
  attend_backward(in.shape,
                  {in.q.data(), in.k.data(), in.v.data(), y.data(), dy.data(), log_sums.data(), dq.data(), dk.data(),
                   dv.data(), in_bf16},
                  {&segment, 1}, isa);
  dq.insert(dq.end(), dk.begin(), dk.end());
  dq.insert(dq.end(), dv.begin(), dv.end());
  return dq;
}

TEST(Attention, MatchesTheDefinition) {
  for (const AttentionShape& shape : kShapes) {
    for (const int64_t tokens : {1, 2, 15, 17, 64, 65, shape.window > 0 ? 200 : 90}) {
      const Inputs in(shape, tokens);
      Values expected_log_sums, log_sums;
      const Values expected = define(in, expected_log_sums);
      const Values y = attend_without_cache(in, isa(), &log_sums);
      EXPECT_LE(largest_difference(y, expected), 3e-6) << shape.head_dim << " " << tokens;
      EXPECT_LE(largest_difference(log_sums, expected_log_sums), 4e-6) << shape.head_dim << " " << tokens;
    }
  }
}

TEST(Attention, EveryInstructionSetGivesTheSameBits) {
  for (const AttentionShape& shape : kShapes) {
    for (const int64_t tokens : {1, 17, shape.window > 0 ? 130 : 70}) {
      const Inputs in(shape, tokens);
      const Values uncached = attend_without_cache(in, Isa::kScalar),
                   cached = attend_in_chunks(in, 9, true, Isa::kScalar), gradient = gradients(in, Isa::kScalar);
      for (const Isa isa : testable_isas()) {
        EXPECT_EQ(attend_without_cache(in, isa), uncached) << to_string(isa) << " " << shape.head_dim;
        EXPECT_EQ(attend_in_chunks(in, 9, true, isa), cached) << to_string(isa) << " " << shape.head_dim;
        EXPECT_EQ(gradients(in, isa), gradient) << to_string(isa) << " " << shape.head_dim;
      }
    }
  }
}

// Of vectors of equal length: the length of the difference over that of `b`.
double relative_difference(const Values& a, const Values& b) {
  double difference = 0, length = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    length += double{b[i]} * b[i];
  }
  return a.size() == b.size() ? std::sqrt(difference / length) : 1e300;
}

TEST(Attention, TheGradientInBf16CostsItsRounding) {
  for (const AttentionShape& shape : kShapes) {
    for (const int64_t tokens : {1, 15, 17, 64, 65, 200}) {
      const Inputs in(shape, tokens);
      const Values exact = gradients(in, Isa::kScalar);
      for (const Isa isa : testable_isas()) {
        if (isa == Isa::kScalar && tokens > 65) continue;  // slow
        const Values found = gradients(in, isa, true);
        EXPECT_LE(relative_difference(found, exact), 0x1p-7)
            << to_string(isa) << " " << shape.head_dim << " " << tokens;
        if (shape.softcap != 0) {
          EXPECT_EQ(found, exact);
        }
      }
    }
  }
}

TEST(Attention, APromptInChunksOrOneByOneGivesTheBitsOfTheWhole) {
  for (const AttentionShape& shape : kShapes) {
    const Inputs in(shape, 140);
    for (const bool is_f16 : {true, false}) {
      const Values whole = attend_in_chunks(in, in.tokens, is_f16, isa());
      for (const int64_t chunk : {1, 5, 16, 33, 64, 139})
        EXPECT_EQ(attend_in_chunks(in, chunk, is_f16, isa()), whole) << shape.head_dim << " " << chunk;
    }
  }
}

TEST(Attention, AnF32CacheGivesTheBitsOfNoCache) {
  for (const AttentionShape& shape : kShapes) {
    const Inputs in(shape, 97);
    EXPECT_EQ(attend_in_chunks(in, 97, false, isa()), attend_without_cache(in, isa())) << shape.head_dim;
  }
}

TEST(Attention, AnF16CacheCostsItsRounding) {
  const Inputs in(kShapes[0], 120);
  EXPECT_LE(largest_difference(attend_in_chunks(in, 120, true, isa()), attend_without_cache(in, isa())), 4e-3);
}

// Two sequences in one call, one decoding and one in prefill, against each alone.
TEST(Attention, NeighboursInTheBatchChangeNothing) {
  for (const AttentionShape& shape : kShapes) {
    const Inputs in(shape, 60);
    const Cache first(shape, 40, true), second_alone(shape, 20, true), together(shape, 80, true);
    Values alone(in.q.size()), both(in.q.size());
    attend_chunk(in, first, 0, 39, isa(), alone);
    attend_chunk(in, first, 39, 40, isa(), alone);
    const AttentionSegment other = {0, 20, 0, second_alone.table()};
    append(shape, &in.k[40 * in.kv_width()], &in.v[40 * in.kv_width()], {&other, 1}, second_alone.view());
    attend_cached(shape, &in.q[40 * in.q_width()], {&other, 1}, second_alone.view(), &alone[40 * in.q_width()]);

    const int32_t first_blocks[] = {4, 0, 2}, second_blocks[] = {1, 3};
    const AttentionSegment before = {0, 39, 0, first_blocks};
    append(shape, in.k.data(), in.v.data(), {&before, 1}, together.view());
    attend_cached(shape, in.q.data(), {&before, 1}, together.view(), both.data());
    const AttentionSegment step[] = {{0, 1, 39, first_blocks}, {1, 21, 0, second_blocks}};
    append(shape, &in.k[39 * in.kv_width()], &in.v[39 * in.kv_width()], step, together.view());
    attend_cached(shape, &in.q[39 * in.q_width()], step, together.view(), &both[39 * in.q_width()]);
    EXPECT_EQ(both, alone) << shape.head_dim;
  }
}

TEST(Attention, TheNumberOfThreadsChangesNothing) {
  const Inputs in(kShapes[0], 200);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Values y = attend_in_chunks(in, 200, true, isa()), g = gradients(in, isa());
  omp_set_num_threads(5);
  EXPECT_EQ(attend_in_chunks(in, 200, true, isa()), y);
  EXPECT_EQ(gradients(in, isa()), g);
  omp_set_num_threads(threads);
}

// Spans wholly before every row's window may hold anything, and in the rows' own spans the largest scores may be
// hidden.
TEST(Attention, WhatLiesBeforeTheWindowChangesNothing) {
  const AttentionShape shape = shape_of(4, 2, 16, 20);
  Inputs in(shape, 200);
  Values log_sums;
  const int64_t row = 190, first_seen = 171;
  const Values expected = attend_without_cache(in, isa());
  const auto last_rows = [&](const Values& y) { return Values(y.begin() + row * in.q_width(), y.end()); };
  for (int64_t j = 0; j < first_seen; ++j) {
    const bool whole_span = j < first_seen / 64 * 64;
    for (int i = 0; i < in.kv_width(); ++i) {
      in.k[j * in.kv_width() + i] = whole_span ? kNan : 1e30f;
      in.v[j * in.kv_width() + i] = whole_span ? kNan : -7.f;
    }
  }
  for (const Isa isa : testable_isas()) {
    EXPECT_EQ(last_rows(attend_without_cache(in, isa)), last_rows(expected)) << to_string(isa);
    Values y(in.q.size(), kNan);
    const Cache cache(shape, in.tokens, false);
    append(shape, in.k.data(), in.v.data(), std::vector<AttentionSegment>{{0, row, 0, cache.table()}}, cache.view(),
           isa);
    for (int64_t r = row; r < in.tokens; ++r) attend_chunk(in, cache, r, r + 1, isa, y);
    EXPECT_EQ(last_rows(y), last_rows(expected)) << to_string(isa);
  }
}

// The last rows of a sequence, whose keys and values are all there.
struct Tail {
  Values y, dq, dk, dv;

  Values gradients() const {
    Values all = dq;
    all.insert(all.end(), dk.begin(), dk.end());
    all.insert(all.end(), dv.begin(), dv.end());
    return all;
  }
};

// dq, dk and dv of the rows after `past`, written over nan.
Tail attend_after(const Inputs& in, int past, Isa isa, bool in_bf16 = false) {
  const int64_t rows = in.tokens - past, from = past * in.q_width();
  const AttentionSegment segment = {0, rows, past, nullptr};
  const Values dy = random_values(in.q.size(), 4);
  Values log_sums(rows * in.shape.num_heads, kNan);
  Tail tail = {Values(in.q.size() - from, kNan), Values(in.q.size() - from, kNan), Values(in.k.size(), kNan),
               Values(in.v.size(), kNan)};
  attend(in.shape, &in.q[from], in.k.data(), in.v.data(), {&segment, 1}, tail.y.data(), log_sums.data(), isa);
  attend_backward(in.shape,
                  {&in.q[from],
                   in.k.data(),
                   in.v.data(),
                   tail.y.data(),
                   &dy[from],
                   log_sums.data(),
                   {tail.dq.data(), false},
                   {tail.dk.data(), false},
                   {tail.dv.data(), false},
                   in_bf16},
                  {&segment, 1}, isa);
  return tail;
}

// The same from all rows, of which only those after `past` have a gradient.
Tail attend_to_all(const Inputs& in, int past, Isa isa) {
  const int64_t from = past * in.q_width();
  const AttentionSegment segment = {0, in.tokens, 0, nullptr};
  Values dy = random_values(in.q.size(), 4), log_sums;
  std::fill_n(dy.begin(), from, 0.f);
  const Values y = attend_without_cache(in, isa, &log_sums);
  Values dq(in.q.size());
  Tail tail = {Values(y.begin() + from, y.end()), {}, Values(in.k.size()), Values(in.v.size())};
  attend_backward(in.shape,
                  {in.q.data(), in.k.data(), in.v.data(), y.data(), dy.data(), log_sums.data(), dq.data(),
                   tail.dk.data(), tail.dv.data()},
                  {&segment, 1}, isa);
  tail.dq.assign(dq.begin() + from, dq.end());
  return tail;
}

constexpr struct { int past, rows; } kTails[] = {{1, 1}, {1, 70}, {16, 1}, {17, 20}, {64, 64}, {150, 40}};

TEST(Attention, RowsAfterAPastHaveTheBitsAndTheGradientsOfTheWhole) {
  for (const AttentionShape& shape : kShapes) {
    for (const auto& [past, rows] : kTails) {
      SCOPED_TRACE(testing::Message() << shape.head_dim << " " << shape.window << ": " << past << " + " << rows);
      const Inputs in(shape, past + rows);
      const Tail whole = attend_to_all(in, past, isa()), expected = attend_after(in, past, Isa::kScalar);
      EXPECT_EQ(expected.y, whole.y);
      EXPECT_LE(relative_difference(expected.dq, whole.dq), 1e-6);
      EXPECT_LE(relative_difference(expected.dk, whole.dk), 1e-6);
      EXPECT_LE(relative_difference(expected.dv, whole.dv), 1e-6);
      for (const Isa isa : testable_isas()) {
        const Tail found = attend_after(in, past, isa);
        EXPECT_EQ(found.y, expected.y) << to_string(isa);
        EXPECT_EQ(found.dq, expected.dq) << to_string(isa);
        EXPECT_EQ(found.dk, expected.dk) << to_string(isa);
        EXPECT_EQ(found.dv, expected.dv) << to_string(isa);
      }
    }
  }
}

TEST(Attention, AfterAPastTheGradientInBf16CostsItsRounding) {
  for (const AttentionShape& shape : kShapes) {
    for (const auto& [past, rows] : kTails) {
      SCOPED_TRACE(testing::Message() << shape.head_dim << " " << shape.window << ": " << past << " + " << rows);
      const Inputs in(shape, past + rows);
      const Tail exact = attend_after(in, past, isa());
      for (const Isa isa : testable_isas()) {
        if (isa == Isa::kScalar && rows > 20) continue;  // slow
        const Tail found = attend_after(in, past, isa, true);
        EXPECT_LE(relative_difference(found.gradients(), exact.gradients()), 0x1p-7) << to_string(isa);
      }
    }
  }
}

// Rows that all see `keys` keys, whose number is another than theirs: a segment without causality.
struct Crossed {
  AttentionShape shape;
  int64_t rows, keys;
  Values q, k, v;
};

Crossed crossed(AttentionShape shape, int64_t rows, int64_t keys) {
  shape.window = 0;
  shape.causal = false;
  const Inputs to(shape, keys), from(shape, rows);
  return {shape, rows, keys, from.q, to.k, to.v};
}

// dq, dk and dv are written over nan.
Tail attend_crossed(const Crossed& c, Isa isa, bool in_bf16 = false, Values* log_sums_out = nullptr) {
  const AttentionSegment segment = {0, c.rows, static_cast<int>(c.keys - c.rows), nullptr};
  const Values dy = random_values(c.q.size(), 4);
  Values log_sums(c.rows * c.shape.num_heads, kNan);
  Tail tail = {Values(c.q.size(), kNan), Values(c.q.size(), kNan), Values(c.k.size(), kNan), Values(c.v.size(), kNan)};
  attend(c.shape, c.q.data(), c.k.data(), c.v.data(), {&segment, 1}, tail.y.data(), log_sums.data(), isa);
  attend_backward(c.shape,
                  {c.q.data(),
                   c.k.data(),
                   c.v.data(),
                   tail.y.data(),
                   dy.data(),
                   log_sums.data(),
                   {tail.dq.data(), false},
                   {tail.dk.data(), false},
                   {tail.dv.data(), false},
                   in_bf16},
                  {&segment, 1}, isa);
  if (log_sums_out) *log_sums_out = log_sums;
  return tail;
}

// The same row by row: each is the last one of a causal sequence, which sees all keys.
Tail attend_row_by_row(const Crossed& c, Values& log_sums) {
  AttentionShape causal = c.shape;
  causal.causal = true;
  const int64_t width = int64_t{c.shape.num_heads} * c.shape.head_dim;
  const AttentionSegment segment = {0, 1, static_cast<int>(c.keys - 1), nullptr};
  const Values dy = random_values(c.q.size(), 4);
  log_sums.assign(c.rows * c.shape.num_heads, kNan);
  Tail tail = {Values(c.q.size()), Values(c.q.size()), Values(c.k.size()), Values(c.v.size())};
  for (int64_t r = 0; r < c.rows; ++r) {
    float* sums = &log_sums[r * c.shape.num_heads];
    attend(causal, &c.q[r * width], c.k.data(), c.v.data(), {&segment, 1}, &tail.y[r * width], sums, isa());
    attend_backward(causal,
                    {&c.q[r * width], c.k.data(), c.v.data(), &tail.y[r * width], &dy[r * width], sums,
                     &tail.dq[r * width], tail.dk.data(), tail.dv.data()},
                    {&segment, 1}, isa());
  }
  return tail;
}

constexpr struct {
  int rows, keys;
} kCrossings[] = {{1, 1}, {1, 70}, {17, 17}, {64, 64}, {65, 65}, {20, 3}, {70, 1}, {9, 150}, {130, 40}};

TEST(Attention, NotCausalEveryRowSeesAllKeys) {
  for (const AttentionShape& shape : kShapes) {
    for (const auto& [rows, keys] : kCrossings) {
      SCOPED_TRACE(testing::Message() << shape.head_dim << " " << shape.softcap << ": " << rows << " to " << keys);
      const Crossed c = crossed(shape, rows, keys);
      Values whole_log_sums, log_sums;
      const Tail whole = attend_row_by_row(c, whole_log_sums);
      const Tail expected = attend_crossed(c, Isa::kScalar, false, &log_sums);
      EXPECT_EQ(expected.y, whole.y);
      EXPECT_EQ(log_sums, whole_log_sums);
      EXPECT_LE(relative_difference(expected.gradients(), whole.gradients()), 2e-6);
      for (const Isa isa : testable_isas()) {
        const Tail found = attend_crossed(c, isa);
        EXPECT_EQ(found.y, expected.y) << to_string(isa);
        EXPECT_EQ(found.gradients(), expected.gradients()) << to_string(isa);
        if (isa == Isa::kScalar && rows > 20) continue;  // slow
        EXPECT_LE(relative_difference(attend_crossed(c, isa, true).gradients(), expected.gradients()), 0x1p-7)
            << to_string(isa);
      }
    }
  }
}

// Of all segments of a call, without causality and in bf16.
Values attend_segments_bf16(AttentionShape shape, const Values& q, const Values& k, const Values& v,
                            const std::vector<AttentionSegment>& segments, Isa isa) {
  shape.window = 0;
  shape.causal = false;
  shape.in_bf16 = true;
  Values y(q.size(), kNan);
  attend(shape, q.data(), k.data(), v.data(), segments, y.data(), nullptr, isa);
  return y;
}

TEST(Attention, NotCausalInBf16CostsItsRounding) {
  for (const AttentionShape& shape : kShapes) {
    for (const auto& [rows, keys] :
         {std::pair{1, 1}, {1, 70}, {17, 17}, {20, 3}, {65, 65}, {130, 40}, {9, 383}, {66, 800}}) {
      SCOPED_TRACE(testing::Message() << shape.head_dim << " " << shape.softcap << ": " << rows << " to " << keys);
      Crossed c = crossed(shape, rows, keys);
      Values exact_log_sums, log_sums;
      const Tail exact = attend_crossed(c, isa(), false, &exact_log_sums);
      c.shape.in_bf16 = true;
      for (const Isa isa : testable_isas()) {
        if (isa == Isa::kScalar && rows * keys > 3000) continue;  // slow
        const Tail found = attend_crossed(c, isa, false, &log_sums);
        if (shape.softcap != 0) {
          EXPECT_EQ(found.y, exact.y) << to_string(isa);
          continue;
        }
        EXPECT_LE(relative_difference(found.y, exact.y), 0x1p-7) << to_string(isa);
        EXPECT_LE(largest_difference(log_sums, exact_log_sums), 0.03) << to_string(isa);
      }
    }
  }
}

TEST(Attention, ACausalRowIsExactWhateverIsAskedFor) {
  const Inputs exact(kShapes[0], 90);
  Inputs in = exact;
  in.shape.in_bf16 = true;
  EXPECT_EQ(attend_without_cache(in, isa()), attend_without_cache(exact, isa()));
}

TEST(Attention, NeighboursChangeNothingInBf16) {
  const AttentionShape shape = shape_of(4, 2, 40);
  const Inputs in(shape, 1100);
  const int64_t middle = 1030;
  const auto alone = [&](int64_t begin, int64_t end) {
    const auto part = [&](const Values& all, int64_t width) {
      return Values(all.begin() + begin * width, all.begin() + end * width);
    };
    return attend_segments_bf16(shape, part(in.q, in.q_width()), part(in.k, in.kv_width()), part(in.v, in.kv_width()),
                                {{0, end - begin, 0, nullptr}}, isa());
  };
  Values expected = alone(0, middle);
  const Values second = alone(middle, in.tokens);
  expected.insert(expected.end(), second.begin(), second.end());
  EXPECT_EQ(
      attend_segments_bf16(shape, in.q, in.k, in.v, {{0, middle, 0, nullptr}, {middle, in.tokens, 0, nullptr}}, isa()),
      expected);
}

TEST(Attention, LargeScoresDoNotOverflow) {
  Inputs in(shape_of(2, 1, 16), 70);
  for (float& v : in.q) v *= 300.f;
  Values log_sums;
  const Values expected = define(in, log_sums);
  for (const Isa isa : testable_isas())
    EXPECT_LE(largest_difference(attend_without_cache(in, isa), expected), 5e-4) << to_string(isa);

  for (const Isa isa : testable_isas()) {
    for (const float y : attend_segments_bf16(in.shape, in.q, in.k, in.v, {{0, in.tokens, 0, nullptr}}, isa))
      EXPECT_LE(std::abs(y), 5) << to_string(isa);  // nan fails
  }
}

}  // namespace
}  // namespace hearth::kernels
