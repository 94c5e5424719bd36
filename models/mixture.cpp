#include "models/mixture.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace hearth {
namespace {

// The first `count` of 0, 1, ... by falling value, of equal ones the first.
std::vector<int> largest(std::span<const float> values, int count) {
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](int a, int b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  order.resize(count);
  return order;
}

// How good a group of experts is.
float group_score(std::span<const float> scores, bool of_two) {
  if (!of_two) return *std::max_element(scores.begin(), scores.end());
  const std::vector<int> best = largest(scores, std::min<int>(2, static_cast<int>(scores.size())));
  return std::accumulate(best.begin(), best.end(), 0.0f, [&](float sum, int i) { return sum + scores[i]; });
}

// Takes the experts outside the best groups out of the choice.
void keep_best_groups(std::span<float> scores, bool of_two, const MixtureConfig& config) {
  const size_t size = scores.size() / config.n_group;
  std::vector<float> groups(config.n_group);
  for (int g = 0; g < config.n_group; ++g) groups[g] = group_score(scores.subspan(g * size, size), of_two);
  const std::vector<int> kept = largest(groups, config.topk_group);
  for (int g = 0; g < config.n_group; ++g) {
    if (std::find(kept.begin(), kept.end(), g) == kept.end())
      std::fill_n(scores.begin() + g * size, size, -std::numeric_limits<float>::infinity());
  }
}

GatedMlp expert(const LayerContext& at, const std::string& prefix, const MixtureNames& names) {
  const int64_t hidden_size = at.config.hidden_size, size = at.config.mixture.moe_intermediate_size;
  return {at.load.linear_without_adapters(prefix + names.gate, size, hidden_size),
          at.load.linear_without_adapters(prefix + names.up, size, hidden_size),
          at.load.linear_without_adapters(prefix + names.down, hidden_size, size), at.config.activation};
}

GatedMlp shared_expert(const LayerContext& at, const std::string& prefix, const MixtureNames& names) {
  const int64_t hidden_size = at.config.hidden_size, size = at.config.mixture.shared_expert_intermediate_size;
  return {at.load.linear(prefix + names.gate, size, hidden_size), at.load.linear(prefix + names.up, size, hidden_size),
          at.load.linear(prefix + names.down, hidden_size, size), at.config.activation};
}

}  // namespace

std::vector<int> choose_experts(const Tensor& scores, std::span<const float> choice_bias, const MixtureConfig& config) {
  const int64_t n = scores.shape()[1];
  std::vector<int> chosen;
  chosen.reserve(scores.rows() * config.num_experts_per_tok);
  std::vector<float> row(n);
  for (int64_t r = 0; r < scores.rows(); ++r) {
    std::copy_n(scores.data() + r * n, n, row.begin());
    for (size_t i = 0; i < choice_bias.size(); ++i) row[i] += choice_bias[i];
    if (config.n_group > 1) keep_best_groups(row, !choice_bias.empty(), config);
    const std::vector<int> best = largest(row, config.num_experts_per_tok);
    chosen.insert(chosen.end(), best.begin(), best.end());
  }
  return chosen;
}

Mixture::Mixture(const LayerContext& at, const MixtureNames& names)
    : config_(at.config.mixture),
      router_(at.load.linear_without_adapters(at.name + names.router, config_.num_experts, at.config.hidden_size)) {
  if (!names.choice_bias.empty()) choice_bias_ = at.load.vector(at.name + names.choice_bias, config_.num_experts);
  experts_.reserve(config_.num_experts);
  for (int e = 0; e < config_.num_experts; ++e) {
    const std::string prefix = at.name + names.experts + "." + std::to_string(e) + ".";
    experts_.push_back(expert(at, prefix, names));
  }
  if (config_.shared_expert_intermediate_size == 0) return;
  shared_expert_ = shared_expert(at, at.name + names.shared_expert + ".", names);
  if (!names.shared_expert_gate.empty())
    shared_expert_gate_ = at.load.linear(at.name + names.shared_expert_gate, 1, at.config.hidden_size);
}

Tensor Mixture::operator()(const Tensor& x, const Batch& batch) const {
  const Tensor logits = router_(x, batch);  // [tokens, num_experts]
  const Tensor scores = config_.sigmoid_scores ? ops::sigmoid(logits) : ops::softmax(logits);
  const int k = config_.num_experts_per_tok;
  const auto bias =
      choice_bias_ ? std::span(choice_bias_->value.data(), choice_bias_->value.size()) : std::span<const float>();
  const std::vector<int> chosen = choose_experts(scores, bias, config_);
  Tensor weights = ops::pick(scores, chosen, k);  // [tokens, k]
  if (config_.norm_topk_prob) weights = ops::shares(weights);
  if (config_.routed_scaling_factor != 1) weights = ops::scale(weights, config_.routed_scaling_factor);

  std::vector<ops::ExpertRows> rows(experts_.size());
  for (size_t i = 0; i < chosen.size(); ++i) {
    rows[chosen[i]].rows.push_back(static_cast<int>(i) / k);
    rows[chosen[i]].slots.push_back(static_cast<int>(i) % k);
  }
  std::vector<Tensor> parts(experts_.size());
  for (size_t e = 0; e < experts_.size(); ++e)
    if (!rows[e].rows.empty()) parts[e] = experts_[e](ops::gather_rows(x, rows[e].rows), no_adapters());
  const Tensor y = ops::combine(parts, rows, weights, x.rows());
  if (!shared_expert_) return y;

  Tensor shared = (*shared_expert_)(x, batch);
  if (shared_expert_gate_) {
    ops::ExpertRows all;
    all.rows.resize(x.rows());
    std::iota(all.rows.begin(), all.rows.end(), 0);
    all.slots.assign(x.rows(), 0);
    const Tensor gate = ops::sigmoid((*shared_expert_gate_)(x, batch));  // [tokens, 1]
    shared = ops::combine({&shared, 1}, {&all, 1}, gate, x.rows());
  }
  return ops::add(y, shared);
}

std::unique_ptr<const FeedForward> mixture_or_mlp(const LayerContext& at, const MixtureNames& names) {
  if (at.config.mixture.layers[at.index]) return std::make_unique<Mixture>(at, names);
  return gated_mlp(at);
}

}  // namespace hearth
