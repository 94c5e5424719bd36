// A model whose next logits are a hash of all tokens before, read back through the KV cache: a block that is lost,
// shared wrongly or overwritten changes the answer. An adapter, named by a number, changes what is cached. Its own
// logits are its hidden state (the head is the identity).
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/random.h"
#include "runtime/language_model.h"

namespace hearth::test {

class FakeModel : public LanguageModel {
 public:
  static constexpr int kVocab = 64;
  static constexpr TokenId kThrows = 63;  // a step with this token fails as a whole
  static constexpr TokenId kNan = 62;     // logits after this token are not numbers

  // Called by the inference thread before each step.
  using OnForward = std::function<void(const Batch&)>;

  explicit FakeModel(OnForward on_forward = {}, int fixed_rope_length = 1 << 20)
      : on_forward_(std::move(on_forward)), head_{identity()} {
    dims_.vocab_size = dims_.hidden_size = kVocab;
    dims_.num_layers = dims_.num_heads = dims_.num_kv_heads = 1;
    dims_.head_dim = 8;
    dims_.max_positions = 4096;
    dims_.fixed_rope_length = fixed_rope_length;
  }

  const ModelDims& dims() const override { return dims_; }
  const OutputHead& output_head() const override { return head_; }

  Tensor forward(const Batch& batch) const override {
    if (on_forward_) on_forward_(batch);
    // As attention does: every row is written before any is read.
    for_rows(batch, [&](const Segment& segment, int row, int position) {
      HEARTH_CHECK(batch.positions[row] == position);
      if (batch.token_ids[row] == kThrows) throw internal_error("the model cannot bear token {}", kThrows);
      const TokenId value = adapted(batch.token_ids[row], segment.adapter);
      std::memcpy(place(*batch.cache, segment, position), &value, sizeof(TokenId));
    });
    Tensor hidden({batch.tokens(), kVocab});
    for_rows(batch, [&](const Segment& segment, int row, int position) {
      std::vector<TokenId> past(position + 1);
      for (int i = 0; i <= position; ++i) std::memcpy(&past[i], place(*batch.cache, segment, i), sizeof(TokenId));
      const std::vector<float> x = logits_after(past);
      std::copy(x.begin(), x.end(), hidden.row(row));
    });
    return hidden;
  }

  static TokenId adapted(TokenId token, const Adapter* adapter) {
    return adapter ? token + kVocab * std::stoi(adapter->name) : token;
  }
  // The definition, without batch or cache, of adapted tokens.
  static std::vector<float> logits_after(std::span<const TokenId> tokens) {
    uint64_t hash = 1;
    for (const TokenId token : tokens) hash = Random(hash ^ static_cast<uint32_t>(token)).next();
    Random random(hash);
    std::vector<float> x(kVocab);
    for (float& v : x) v = 2 * random.normal();
    x[kThrows] = x[kNan] = -1000;  // never drawn, only sent
    if (tokens.back() == kNan) x.assign(kVocab, std::numeric_limits<float>::quiet_NaN());
    return x;
  }

 private:
  static Weight identity() {
    std::vector<float> values(kVocab * kVocab);
    for (int i = 0; i < kVocab; ++i) values[i * kVocab + i] = 1;
    return Weight::from_values(kVocab, kVocab, values);
  }
  static std::byte* place(KvCache& cache, const Segment& segment, int position) {
    return cache.keys(0, segment.blocks->at(position / kBlockTokens)) + position % kBlockTokens * sizeof(TokenId);
  }
  template <class Fn>
  static void for_rows(const Batch& batch, Fn fn) {
    for (const Segment& segment : batch.segments)
      for (int row = segment.begin; row < segment.end; ++row) fn(segment, row, segment.past + row - segment.begin);
  }

  OnForward on_forward_;
  ModelDims dims_;
  OutputHead head_;
};

}  // namespace hearth::test
