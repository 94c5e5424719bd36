#include "models/layers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace hearth {

Norm::Norm(const NormConfig& config, std::shared_ptr<ModelTensor> weight, std::shared_ptr<const ModelTensor> bias)
    : weight_(std::move(weight)), bias_(std::move(bias)), eps_(config.eps), subtracts_mean_(config.subtracts_mean) {}

Tensor Norm::operator()(const Tensor& x) const {
  const Tensor weight = current(*weight_);
  return subtracts_mean_ ? ops::layer_norm(x, weight, bias_ ? current(*bias_) : Tensor(), eps_)
                         : ops::rms_norm(x, weight, eps_);
}

QkvProjection::QkvProjection(Linear q, Linear k, Linear v) : q_(std::move(q)), k_(std::move(k)), v_(std::move(v)) {}

QkvProjection::QkvProjection(Linear fused, int groups, const ModelConfig& c)
    : q_(std::move(fused)),
      groups_(groups),
      q_columns_(int64_t{c.num_attention_heads} / groups * c.head_dim),
      kv_columns_(int64_t{c.num_key_value_heads} / groups * c.head_dim) {}

QkvProjection::Output QkvProjection::operator()(const Tensor& x, const Batch& batch) const {
  if (!k_) {
    const Tensor y = q_(x, batch);  // [tokens, groups * (q_columns + 2 kv_columns)]
    return {ops::columns(y, groups_, 0, q_columns_), ops::columns(y, groups_, q_columns_, kv_columns_),
            ops::columns(y, groups_, q_columns_ + kv_columns_, kv_columns_)};
  }
  const std::array linears{&q_, &*k_, &*v_};
  std::vector<Tensor> y = project(x, linears, batch);
  return {std::move(y[0]), std::move(y[1]), std::move(y[2])};
}

// What reads the output decides how precise it needs to be.
SelfAttention::SelfAttention(Parts parts) : parts_(std::move(parts)) {
  parts_.spec.in_bf16 = parts_.output.weight().is_bf16();
}

Tensor SelfAttention::operator()(const Tensor& x, const Batch& batch, int layer) const {
  auto [q, k, v] = parts_.qkv(x, batch);  // [tokens, {num_heads, num_kv_heads, num_kv_heads} * head_dim]
  if (parts_.q_norm) q = (*parts_.q_norm)(q);
  if (parts_.k_norm) k = (*parts_.k_norm)(k);
  if (parts_.rope) {
    q = ops::rope(q, batch, *parts_.rope);
    k = ops::rope(k, batch, *parts_.rope);
  }
  return parts_.output(ops::attention(q, k, v, batch, layer, parts_.spec), batch);
}

GatedMlp::GatedMlp(Linear gate, Linear up, Linear down, Activation activation)
    : gate_(std::move(gate)), up_(std::move(up)), down_(std::move(down)), activation_(activation) {}

GatedMlp::GatedMlp(Linear gate_up, Linear down, Activation activation)
    : gate_(std::move(gate_up)), down_(std::move(down)), activation_(activation) {}

Tensor GatedMlp::operator()(const Tensor& x, const Batch& batch) const {
  if (!up_) {
    const Tensor y = gate_(x, batch);  // [tokens, 2 * intermediate_size]
    const int64_t n = gate_.weight().out() / 2;
    return down_(ops::gated(ops::columns(y, 1, 0, n), ops::columns(y, 1, n, n), activation_), batch);
  }
  const std::array linears{&gate_, &*up_};
  const std::vector<Tensor> y = project(x, linears, batch);  // [tokens, intermediate_size] each
  return down_(ops::gated(y[0], y[1], activation_), batch);
}

std::shared_ptr<ModelTensor> LayerLoader::add(ModelTensor tensor) {
  return tensors_.emplace_back(std::make_shared<ModelTensor>(std::move(tensor)));
}

Weight LayerLoader::prepared(const std::string& full_name, Weight weight) {
  weight.prepare(compute_dtype_);
  if (weight.packed()) source_.release_pages(full_name);
  return weight;
}

std::shared_ptr<ModelTensor> LayerLoader::matrix(const std::string& name, int64_t out, int64_t in) {
  const std::string full_name = name + ".weight";
  return add({.name = full_name, .weight = prepared(full_name, source_.matrix(full_name, out, in))});
}

Linear LayerLoader::linear(const std::string& name, int64_t out, int64_t in, bool bias) {
  const std::shared_ptr<ModelTensor> weight = matrix(name, out, in);
  weight->linear = linears_++;
  return {weight, bias ? vector(name + ".bias", out) : nullptr};
}

Linear LayerLoader::linear_without_adapters(const std::string& name, int64_t out, int64_t in, bool bias) {
  const std::shared_ptr<ModelTensor> weight = matrix(name, out, in);
  return {weight, bias ? vector(name + ".bias", out) : nullptr};
}

Norm LayerLoader::norm(const std::string& name, int64_t n, const NormConfig& config) {
  return Norm(config, vector(name + ".weight", n, config.weight_offset),
              config.has_bias ? vector(name + ".bias", n) : nullptr);
}

std::shared_ptr<ModelTensor> LayerLoader::vector(const std::string& full_name, int64_t n, float offset) {
  auto tensor = add({.name = full_name, .value = source_.vector(full_name, n), .offset = offset});
  for (float& value : std::span(tensor->value.data(), tensor->value.size())) value += offset;
  return tensor;
}

std::shared_ptr<ModelTensor> LayerLoader::rows(const std::string& full_name, int64_t rows, int64_t n) {
  auto tensor = add({.name = full_name, .value = Tensor({rows, n})});
  source_.matrix(full_name, rows, n).dequantize_rows(0, rows, tensor->value.data());
  return tensor;
}

std::shared_ptr<ModelTensor> LayerLoader::joined_rows(const std::vector<std::string>& full_names, int64_t n) {
  const auto count = static_cast<int64_t>(full_names.size());
  auto tensor = add({.name = full_names.front() + "...", .value = Tensor({count, n})});
  for (int64_t i = 0; i < count; ++i) std::copy_n(source_.vector(full_names[i], n).data(), n, tensor->value.row(i));
  return tensor;
}

std::shared_ptr<ModelTensor> LayerLoader::table(const std::string& name, int64_t rows, int64_t n) {
  return add({.name = name + ".weight", .weight = source_.matrix(name + ".weight", rows, n)});
}

Weight LayerLoader::tied(const ModelTensor& table) { return prepared(table.name, table.weight); }

Norm LayerContext::norm(const char* part) const { return load.norm(name + part, config.hidden_size, config.norm); }

Linear LayerContext::linear(const char* part, int64_t out, int64_t in, bool bias) const {
  return load.linear(name + part, out, in, bias);
}

ops::AttentionSpec LayerContext::attention_spec() const {
  return {.num_heads = config.num_attention_heads,
          .num_kv_heads = config.num_key_value_heads,
          .head_dim = config.head_dim,
          .scale = config.attention_scale != 0 ? config.attention_scale
                                               : 1.0f / std::sqrt(static_cast<float>(config.head_dim)),
          .window = config.windows[index],
          .softcap = config.attention_softcap,
          .causal = config.is_causal};
}

std::unique_ptr<const Attention> llama_attention(const LayerContext& at, std::optional<Norm> q_norm,
                                                 std::optional<Norm> k_norm) {
  const ModelConfig& c = at.config;
  return std::make_unique<SelfAttention>(
      SelfAttention::Parts{.qkv = {at.linear("self_attn.q_proj", at.q_size(), c.hidden_size, c.attention_bias),
                                   at.linear("self_attn.k_proj", at.kv_size(), c.hidden_size, c.attention_bias),
                                   at.linear("self_attn.v_proj", at.kv_size(), c.hidden_size, c.attention_bias)},
                           .output = at.linear("self_attn.o_proj", c.hidden_size, at.q_size(), c.attention_output_bias),
                           .spec = at.attention_spec(),
                           .rope = at.rope,
                           .q_norm = std::move(q_norm),
                           .k_norm = std::move(k_norm)});
}

std::unique_ptr<const Attention> fused_attention(const LayerContext& at, const char* qkv, const char* output,
                                                 int groups) {
  const ModelConfig& c = at.config;
  return std::make_unique<SelfAttention>(SelfAttention::Parts{
      .qkv = {at.linear(qkv, at.q_size() + 2 * at.kv_size(), c.hidden_size, c.attention_bias), groups, c},
      .output = at.linear(output, c.hidden_size, at.q_size(), c.attention_output_bias),
      .spec = at.attention_spec(),
      .rope = at.rope});
}

std::unique_ptr<const FeedForward> plain_mlp(const LayerContext& at, const char* up, const char* down) {
  const ModelConfig& c = at.config;
  Mlp mlp{at.linear(up, c.intermediate_size, c.hidden_size, c.mlp_bias),
          at.linear(down, c.hidden_size, c.intermediate_size, c.mlp_bias), c.activation};
  return std::make_unique<Mlp>(std::move(mlp));
}

// In braces, arguments are evaluated in order: tensors are read, and missing ones named, in the order of a forward.
std::unique_ptr<const FeedForward> gated_mlp(const LayerContext& at) {
  const ModelConfig& c = at.config;
  GatedMlp mlp{at.linear("mlp.gate_proj", c.intermediate_size, c.hidden_size, c.mlp_bias),
               at.linear("mlp.up_proj", c.intermediate_size, c.hidden_size, c.mlp_bias),
               at.linear("mlp.down_proj", c.hidden_size, c.intermediate_size, c.mlp_bias), c.activation};
  return std::make_unique<GatedMlp>(std::move(mlp));
}

std::unique_ptr<const FeedForward> fused_gated_mlp(const LayerContext& at) {
  const ModelConfig& c = at.config;
  GatedMlp mlp{at.linear("mlp.gate_up_proj", 2 * c.intermediate_size, c.hidden_size, false),
               at.linear("mlp.down_proj", c.hidden_size, c.intermediate_size, false), c.activation};
  return std::make_unique<GatedMlp>(std::move(mlp));
}

}  // namespace hearth
