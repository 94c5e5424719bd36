// Sequences that begin alike and share their first rows, against the same sequences with copies of those rows.
#include <functional>
#include <vector>

#include <gtest/gtest.h>
#include <omp.h>

#include "tests/support/gradient_check.h"
#include "tests/support/random_tensor.h"
#include "tests/support/tensor_difference.h"

namespace hearth {
namespace {

// With copies: all rows of every sequence; and which of them are the shared layout's own rows.
struct Unshared {
  Batch batch;
  std::vector<int> sources;  // of each row, the row of the shared layout
  std::vector<int> own;      // rows that are no copies
};

Batch batch_of(std::vector<Segment> segments) {
  Batch batch;
  batch.segments = std::move(segments);
  batch.token_ids.resize(batch.segments.back().end);
  batch.positions.resize(batch.segments.back().end);
  return batch;
}

Unshared unshare(const std::vector<Segment>& segments) {
  Unshared out;
  std::vector<Segment> whole;
  for (const Segment& s : segments) {
    const int begin = static_cast<int>(out.sources.size());
    for (int i = 0; i < s.past; ++i) out.sources.push_back(s.past_begin + i);
    for (int row = s.begin; row < s.end; ++row) {
      out.own.push_back(static_cast<int>(out.sources.size()));
      out.sources.push_back(row);
    }
    whole.push_back({.begin = begin, .end = static_cast<int>(out.sources.size())});
  }
  out.batch = batch_of(whole);
  return out;
}

// Segments of (begin, end, past, past_begin).
const std::vector<Segment> kLayouts[] = {
    {{0, 50}, {50, 70, 33}, {70, 71, 1}, {71, 90}, {90, 130, 19, 71}, {130, 130, 5}, {130, 150, 50}, {150, 170, 16}},
    {{0, 128}, {128, 192, 64}, {192, 256, 128}},
    {{0, 1}, {1, 2, 1}, {2, 3, 1}},
    {{0, 10}, {10, 200}, {200, 230, 170, 10}, {230, 320, 150, 10}},
};

const ops::AttentionSpec kSpecs[] = {
    {4, 2, 16, 0.25f}, {3, 1, 24, 0.2f}, {2, 2, 8, 0.3f, 10}, {4, 1, 32, 0.2f, 70}, {2, 1, 24, 0.2f, 40, 0.7f},
};

struct Inputs {
  Inputs(const ops::AttentionSpec& spec, int64_t rows)
      : q(random_tensor({rows, spec.num_heads * spec.head_dim}, 1)),
        k(random_tensor({rows, spec.num_kv_heads * spec.head_dim}, 2)),
        v(random_tensor({rows, spec.num_kv_heads * spec.head_dim}, 3)) {}
  Tensor q, k, v;
};

using Attend = std::function<Tensor(const Inputs&)>;

Attend sharing(const std::vector<Segment>& segments, const ops::AttentionSpec& spec) {
  return [=](const Inputs& in) { return ops::attention(in.q, in.k, in.v, batch_of(segments), 0, spec); };
}

// The same rows from copies; gradients of copies are summed.
Attend copying(const std::vector<Segment>& segments, const ops::AttentionSpec& spec) {
  return [=](const Inputs& in) {
    const Unshared unshared = unshare(segments);
    const auto all = [&](const Tensor& x) { return ops::gather_rows(x, unshared.sources); };
    return ops::gather_rows(ops::attention(all(in.q), all(in.k), all(in.v), unshared.batch, 0, spec), unshared.own);
  };
}

// dq, dk and dv.
std::vector<Tensor> gradients(const Attend& attend, const Inputs& in, KeptPrecision precision) {
  Parameter q{"q", in.q, {}}, k{"k", in.k, {}}, v{"v", in.v, {}};
  Tape tape(precision);
  const Tape::Recording on(tape);
  Inputs leaves = in;
  leaves.q = Tape::leaf(q);
  leaves.k = Tape::leaf(k);
  leaves.v = Tape::leaf(v);
  const Tensor y = attend(leaves);
  tape.backward(y, random_tensor(y.shape(), 4));
  return {q.grad, k.grad, v.grad};
}

TEST(SharedPast, HasTheBitsAndTheGradientsOfCopies) {
  for (const std::vector<Segment>& segments : kLayouts) {
    for (const ops::AttentionSpec& spec : kSpecs) {
      SCOPED_TRACE(testing::Message() << segments.back().end << " rows, head_dim " << spec.head_dim);
      const Inputs in(spec, segments.back().end);
      const Attend shared = sharing(segments, spec), copied = copying(segments, spec);
      EXPECT_TRUE(same_bits(shared(in), copied(in)));
      const std::vector<Tensor> exact = gradients(copied, in, KeptPrecision::kFloat32);
      const std::vector<Tensor> found = gradients(shared, in, KeptPrecision::kFloat32);
      for (size_t i = 0; i < exact.size(); ++i) EXPECT_LE(relative_difference({found[i]}, {exact[i]}), 1e-6) << i;
      EXPECT_LE(relative_difference(gradients(shared, in, KeptPrecision::kBFloat16), exact), 0x1p-7);
    }
  }
}

TEST(SharedPast, GradientsMatchFiniteDifferences) {
  const std::vector<Segment> segments = {{0, 6}, {6, 9, 4}, {9, 10, 1}, {10, 13, 6}};
  for (const ops::AttentionSpec& spec : {ops::AttentionSpec{4, 2, 8, 0.3f}, {2, 1, 8, 0.3f, 3, 1.5f}}) {
    const Inputs in(spec, 13);
    for (Tensor Inputs::*one : {&Inputs::q, &Inputs::k, &Inputs::v}) {
      const auto attend = [&](const Tensor& t) {
        Inputs moved = in;
        moved.*one = t;
        return sharing(segments, spec)(moved);
      };
      expect_gradient(attend, in.*one);
    }
  }
}

TEST(SharedPast, GivesTheSameBitsWithAnyNumberOfThreads) {
  const Inputs in(kSpecs[0], kLayouts[0].back().end);
  const int threads = omp_get_max_threads();
  for (const KeptPrecision precision : {KeptPrecision::kFloat32, KeptPrecision::kBFloat16}) {
    omp_set_num_threads(1);
    const std::vector<Tensor> expected = gradients(sharing(kLayouts[0], kSpecs[0]), in, precision);
    omp_set_num_threads(5);
    const std::vector<Tensor> found = gradients(sharing(kLayouts[0], kSpecs[0]), in, precision);
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(same_bits(found[i], expected[i])) << i;
  }
  omp_set_num_threads(threads);
}

}  // namespace
}  // namespace hearth
