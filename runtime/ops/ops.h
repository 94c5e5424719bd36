// The menu a model's author reads. Each op checks shapes (kInternal on our own mistakes), computes through kernels/,
// and records its backward on the active tape. Tensors are f32; `tokens` is the flattened row axis of a Batch. An op's
// row never depends on the other rows of the call.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "runtime/batch.h"
#include "runtime/kernels/activation.h"
#include "runtime/ops/rope.h"
#include "runtime/output_head.h"
#include "runtime/tape.h"
#include "runtime/tensor.h"
#include "runtime/value_head.h"
#include "runtime/weight.h"

namespace hearth::ops {

// Rows of a table. Frozen: no gradient. Ids must be below table.out().
Tensor embedding(std::span<const TokenId> ids, const Weight& table);  // -> [tokens, hidden_size]

// Rows of a trained one.
Tensor embedding(std::span<const TokenId> ids, const Tensor& table);  // table [vocab_size, hidden_size]

// Rows [begin, end) of a product go through scale * (x a^T) b^T besides.  a [rank, in], b [out, rank]
struct LowRankRows {
  int64_t begin, end;
  Tensor a, b;
  float scale;
};

// y = x W^T (+ bias [out], when defined).  x [tokens, in] -> [tokens, out]
Tensor linear(const Tensor& x, const Weight& weight, const Tensor& bias = {});
// Several projections of the same x in one parallel region (q, k, v; gate, up).
struct Projection {
  const Weight* weight;
  const Tensor* bias = nullptr;                 // [out] or null
  std::span<const LowRankRows> low_ranks = {};  // disjoint rows, sorted; what adapters add
};
std::vector<Tensor> linear(const Tensor& x, std::span<const Projection> projections);
// With a trained W [out, in] in the place of a frozen one, in its arithmetic (f32, or bf16 where it is prepared for
// it).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Weight& frozen);

// The adapters' part alone; 0 in rows that have none.  x [tokens, in] -> [tokens, out]
Tensor low_rank(const Tensor& x, int64_t out, std::span<const LowRankRows> low_ranks);
// x / (1 - p), or 0 with probability p; the same seed drops the same values.
Tensor dropout(const Tensor& x, float p, uint64_t seed);
Tensor add_bias(const Tensor& x, const Tensor& bias);  // x [tokens, n], bias [n]
// Rows [begin, end) are multiplied by factor / divisor; the others stay. The divisor is a constant.
struct ColumnScale {
  int64_t begin, end;
  Tensor factor, divisor;  // [n]
};
Tensor scale_columns(const Tensor& x, std::span<const ColumnScale> scales);  // x [tokens, n]; disjoint, sorted rows
// The length of each row of W + scale * b a, as a constant.  -> [out]
Tensor row_norms(const Weight& weight, const Tensor& a, const Tensor& b, float scale);

// x / rms(x) * weight, of every n values in a row (a head's, when it has several).
// x [tokens, groups * n]; weight [n], the same for every group, or [groups, n] -> [tokens, groups * n]
Tensor rms_norm(const Tensor& x, const Tensor& weight, float eps);
// (x - mean) / sqrt(variance + eps) * weight (+ bias, when defined), likewise; bias is shaped like the weight.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps);

Tensor add(const Tensor& a, const Tensor& b);       // same shape
Tensor multiply(const Tensor& a, const Tensor& b);  // same shape
Tensor scale(const Tensor& x, float factor);

using hearth::Activation;
Tensor activate(const Tensor& x, Activation activation);
Tensor gated(const Tensor& gate, const Tensor& up, Activation activation);  // activation(gate) * up; same shape

// Columns [begin, begin + width) of each of `groups` equal parts of a row.
// x [tokens, groups * part] -> [tokens, groups * width]
Tensor columns(const Tensor& x, int groups, int64_t begin, int64_t width);
// Each group's columns of a, then of b.  a [tokens, groups * m], b [tokens, groups * n] -> [tokens, groups * (m + n)]
Tensor join_columns(const Tensor& a, const Tensor& b, int groups);
// The same with b [tokens, n] for every group.
Tensor join_shared_columns(const Tensor& a, const Tensor& b, int groups);

// Rotates each head's pairs (Rope::pairs) by its row's position * frequency_i, the position of the grid where
// Rope::sections say so; dimensions past the rotated ones stay.
// x [tokens, heads * head_dim]
Tensor rope(const Tensor& x, const Batch& batch, const Rope& rope);

struct AttentionSpec {
  int num_heads, num_kv_heads, head_dim;
  float scale;        // usually 1 / sqrt(head_dim)
  int window = 0;     // tokens a row attends to, itself included; 0: all before it
  float softcap = 0;  // scores become softcap * tanh(score / softcap); 0: none
  // false: each row attends to all rows of its segment, later ones too (vision towers, encoders); then there is no
  // cache, no window and no past.
  bool causal = true;
  // Where it is not causal and has no softcap: q, k, v and the probabilities rounded to bf16, sums in f32.
  bool in_bf16 = false;
};
// Attention of each segment to its sequence (Segment::past and its own rows). With batch.cache: appends k and v
// to `layer`'s blocks, then attends to past + new tokens; throws kInternal while a tape records, because gradients
// never cross a cache. head_dim is a multiple of 8, at most 256.
// q [tokens, num_heads * head_dim], k and v [tokens, num_kv_heads * head_dim] -> [tokens, num_heads * head_dim]
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Batch& batch, int layer,
                 const AttentionSpec& spec);

// Rows [begin, end) of q attend to all of rows [key_begin, key_end) of k and v.
struct CrossSegment {
  int begin, end, key_begin, key_end;
};
// Attention to the rows of another sequence. Segments are in order and cover every row of q and of k and v; none is
// empty, and the spec is not causal.
// q [tokens, num_heads * head_dim], k and v [keys, num_kv_heads * head_dim] -> [tokens, num_heads * head_dim]
Tensor cross_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::span<const CrossSegment> segments,
                       const AttentionSpec& spec);

// Rows of x by index, which may repeat.  x [tokens, n] -> [rows.size(), n]
Tensor gather_rows(const Tensor& x, std::span<const int> rows);

// Those of all, one behind the other.  of each [rows, n] -> [the sum of rows, n]
Tensor join_rows(std::span<const Tensor> parts);

// x with values[i] as its row rows[i]; each row at most once.  x [tokens, n], values [rows.size(), n] -> [tokens, n]
Tensor replace_rows(const Tensor& x, std::span<const int> rows, const Tensor& values);

// Mixtures of experts. A router's scores become weights of the k experts it picks for each token:
Tensor softmax(const Tensor& x);  // of each row
Tensor sigmoid(const Tensor& x);
// y[r][j] = x[r][columns[r * k + j]].  x [tokens, n] -> [tokens, k]
Tensor pick(const Tensor& x, std::span<const int> columns, int k);
Tensor shares(const Tensor& x);  // x / the sum of its row

// What an expert sees: row i of its part is token rows[i], weighed by weights[rows[i]][slots[i]].
struct ExpertRows {
  std::vector<int> rows, slots;
};
// y[t] = the sum over the experts, in their order, of weight * the part's row of token t; 0 where no expert has it.
// parts: of each expert [its rows, n], undefined where it has none; weights [tokens, k] -> [tokens, n]
Tensor combine(std::span<const Tensor> parts, std::span<const ExpertRows> experts, const Tensor& weights,
               int64_t tokens);

// hidden [rows, hidden_size] -> [rows, vocab_size]. For sampling; scoring and losses use token_logprobs.
Tensor logits(const Tensor& hidden, const OutputHead& head);
// Rows whose logits should be held at once: 16 MiB of them, but 16 rows at least and 256 at most.
int64_t logits_rows(int64_t vocab_size);

// What a row's distribution over the vocabulary is like.
struct TokenFacts {
  float entropy = 0;
  float log_sum_squares = 0;  // of probabilities
  float mean_logit = 0;
  bool is_likeliest = false;  // the target
};
// log softmax(logits)[target] per row; 0 where target < 0. Streams over chunks of rows and never holds [tokens,
// vocab_size]. `facts` [tokens], or empty, gets those of rows with a target; they have no gradient.  -> [tokens]
Tensor token_logprobs(const Tensor& hidden, const OutputHead& head, std::span<const TokenId> targets,
                      std::span<TokenFacts> facts = {});

// The mean over the vocabulary of log softmax(logits), of rows with a target; 0 in the others.  -> [tokens]
Tensor mean_logprobs(const Tensor& hidden, const OutputHead& head, std::span<const TokenId> targets);

// x w^T + b in f32, whatever the model computes in.  x [rows, n], weight [1, n], bias [1] -> [rows]
Tensor project_to_one(const Tensor& x, const Tensor& weight, const Tensor& bias);
// Of each row the reward of the text up to there.  hidden [rows, hidden_size] -> [rows]
Tensor rewards(const Tensor& hidden, ValueHead& head);

// compute(x), of which a recording tape keeps nothing but x: the backward sweep computes it again. `compute` must give
// the same again and outlive the sweep with all it refers to; it may use parameters.
Tensor checkpoint(std::function<Tensor(const Tensor&)> compute, const Tensor& x);

Tensor sum(const Tensor& x);   // -> [1]
Tensor mean(const Tensor& x);  // -> [1]

}  // namespace hearth::ops
