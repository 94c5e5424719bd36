// The parts that families of models share, and the loader that makes them from a checkpoint.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/linear.h"
#include "models/model_config.h"
#include "runtime/batch.h"
#include "runtime/io/weight_source.h"
#include "runtime/model_tensor.h"
#include "runtime/ops/ops.h"

namespace hearth {

// RMS norm or layer norm, as the model's config has it.
class Norm {
 public:
  // weight [n], or [groups, n] for groups of a row that have each their own; bias [n] or null.
  Norm(const NormConfig& config, std::shared_ptr<ModelTensor> weight,
       std::shared_ptr<const ModelTensor> bias = nullptr);
  Tensor operator()(const Tensor& x) const;  // [tokens, groups * n] -> the same

 private:
  std::shared_ptr<const ModelTensor> weight_, bias_;
  float eps_;
  bool subtracts_mean_;
};

// The attention's three projections: three matrices in one parallel region, or one matrix.
class QkvProjection {
 public:
  struct Output {
    Tensor q;     // [tokens, num_heads * head_dim]
    Tensor k, v;  // [tokens, num_kv_heads * head_dim]
  };
  QkvProjection(Linear q, Linear k, Linear v);
  // The rows of `fused` lie in `groups` equal parts, each of which has its share of q's, then of k's, then of v's.
  QkvProjection(Linear fused, int groups, const ModelConfig& config);
  Output operator()(const Tensor& x, const Batch& batch) const;  // x [tokens, hidden_size]

 private:
  Linear q_;  // or all three
  std::optional<Linear> k_, v_;
  int groups_ = 0;
  int64_t q_columns_ = 0, kv_columns_ = 0;  // of a group
};

class Attention {
 public:
  virtual ~Attention() = default;
  // `layer` is its number, which the KV cache goes by.  x [tokens, hidden_size] -> [tokens, hidden_size]
  virtual Tensor operator()(const Tensor& x, const Batch& batch, int layer) const = 0;
};

// Multi-head attention with grouped keys and values.
class SelfAttention : public Attention {
 public:
  struct Parts {
    QkvProjection qkv;
    Linear output;
    ops::AttentionSpec spec;
    std::shared_ptr<const Rope> rope = nullptr;    // null: positions do not enter
    std::optional<Norm> q_norm = {}, k_norm = {};  // before rope
  };
  explicit SelfAttention(Parts parts);
  Tensor operator()(const Tensor& x, const Batch& batch, int layer) const override;

 private:
  Parts parts_;
};

class FeedForward {
 public:
  virtual ~FeedForward() = default;
  // [tokens, hidden_size] -> [tokens, hidden_size]
  virtual Tensor operator()(const Tensor& x, const Batch& batch) const = 0;
};

// down(activation(gate(x)) * up(x))
class GatedMlp : public FeedForward {
 public:
  GatedMlp(Linear gate, Linear up, Linear down, Activation activation);
  // The first half of gate_up's rows is the gate's.
  GatedMlp(Linear gate_up, Linear down, Activation activation);
  Tensor operator()(const Tensor& x, const Batch& batch) const override;

 private:
  Linear gate_;  // or both
  std::optional<Linear> up_;
  Linear down_;
  Activation activation_;
};

// down(activation(up(x)))
class Mlp : public FeedForward {
 public:
  Mlp(Linear up, Linear down, Activation activation)
      : up_(std::move(up)), down_(std::move(down)), activation_(activation) {}
  Tensor operator()(const Tensor& x, const Batch& batch) const override {
    return down_(ops::activate(up_(x, batch), activation_), batch);
  }

 private:
  Linear up_, down_;
  Activation activation_;
};

// Makes parts from a checkpoint. Weights of products are laid out for the kernels as they come, and the mapped pages
// they came from given back, so loading holds one weight twice at most. Every tensor is in tensors(), once.
class LayerLoader {
 public:
  LayerLoader(WeightSource& source, ComputeDtype compute_dtype) : source_(source), compute_dtype_(compute_dtype) {}

  // `name` without ".weight" and ".bias". Errors are WeightSource's.
  Linear linear(const std::string& name, int64_t out, int64_t in, bool bias = false);
  // Of experts, routers, convolutions.
  Linear linear_without_adapters(const std::string& name, int64_t out, int64_t in, bool bias = false);
  std::shared_ptr<ModelTensor> matrix(const std::string& name, int64_t out, int64_t in);
  Norm norm(const std::string& name, int64_t n, const NormConfig& config);
  bool has(const std::string& full_name) const { return source_.has(full_name); }
  // With `offset` added to the values.
  std::shared_ptr<ModelTensor> vector(const std::string& full_name, int64_t n, float offset = 0);
  std::shared_ptr<ModelTensor> rows(const std::string& full_name, int64_t rows, int64_t n);  // [rows, n] as f32
  // Vectors of n values as the rows of one tensor.
  std::shared_ptr<ModelTensor> joined_rows(const std::vector<std::string>& full_names, int64_t n);
  // A table of rows, as it lies in the file.
  std::shared_ptr<ModelTensor> table(const std::string& name, int64_t rows, int64_t n);
  // The weight of the output head that shares `table` (tied embeddings).
  Weight tied(const ModelTensor& table);

  const std::vector<std::shared_ptr<ModelTensor>>& tensors() const { return tensors_; }

 private:
  std::shared_ptr<ModelTensor> add(ModelTensor tensor);
  Weight prepared(const std::string& full_name, Weight weight);

  WeightSource& source_;
  ComputeDtype compute_dtype_;
  std::vector<std::shared_ptr<ModelTensor>> tensors_;
  LinearId linears_ = 0;
};

// What a layer is made from.
struct LayerContext {
  const ModelConfig& config;
  LayerLoader& load;
  int index;
  std::string name;                  // "model.layers.3.", below which Hugging Face names its tensors
  std::shared_ptr<const Rope> rope;  // this layer's; null: none

  Norm norm(const char* part) const;  // over hidden_size
  Linear linear(const char* part, int64_t out, int64_t in, bool bias) const;
  int64_t q_size() const { return int64_t{config.num_attention_heads} * config.head_dim; }
  int64_t kv_size() const { return int64_t{config.num_key_value_heads} * config.head_dim; }
  ops::AttentionSpec attention_spec() const;
};

// As a llama names them: self_attn.{q,k,v,o}_proj and mlp.{gate,up,down}_proj.
std::unique_ptr<const Attention> llama_attention(const LayerContext& at, std::optional<Norm> q_norm = {},
                                                 std::optional<Norm> k_norm = {});
std::unique_ptr<const FeedForward> gated_mlp(const LayerContext& at);
// q, k and v in one matrix (see QkvProjection for `groups`).
std::unique_ptr<const Attention> fused_attention(const LayerContext& at, const char* qkv, const char* output,
                                                 int groups);
std::unique_ptr<const FeedForward> plain_mlp(const LayerContext& at, const char* up, const char* down);
// mlp.gate_up_proj and mlp.down_proj, without biases.
std::unique_ptr<const FeedForward> fused_gated_mlp(const LayerContext& at);

}  // namespace hearth
