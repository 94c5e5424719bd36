// A mixture of experts: a router scores the experts for every token, and the best of them, weighed by their scores,
// take the place of the MLP (arXiv 2101.03961; Mixtral, Qwen MoE, DeepSeek). A token's result does not depend on which
// tokens share the call.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/layers.h"

namespace hearth {

// As Hugging Face names them below a layer.
struct MixtureNames {
  std::string router = "mlp.gate", experts = "mlp.experts";
  std::string gate = "gate_proj", up = "up_proj", down = "down_proj";
  std::string shared_expert = "mlp.shared_expert";
  std::string shared_expert_gate = {};  // empty: the shared expert counts in full
  std::string choice_bias = {};         // added to the scores when experts are chosen; empty: none
};

// Of each row, the columns of the `num_experts_per_tok` largest scores, largest first, of equal ones the first; of
// those in the topk_group best groups only, where a group is as good as its best score or, with choice_bias, as the sum
// of its two best.  scores [tokens, num_experts] -> [tokens * num_experts_per_tok]
std::vector<int> choose_experts(const Tensor& scores, std::span<const float> choice_bias, const MixtureConfig& config);

class Mixture : public FeedForward {
 public:
  Mixture(const LayerContext& at, const MixtureNames& names);
  Tensor operator()(const Tensor& x, const Batch& batch) const override;

 private:
  MixtureConfig config_;
  Linear router_;                                   // [num_experts, hidden_size]
  std::shared_ptr<const ModelTensor> choice_bias_;  // [num_experts] or null
  std::vector<GatedMlp> experts_;
  std::optional<GatedMlp> shared_expert_;
  std::optional<Linear> shared_expert_gate_;  // [1, hidden_size]
};

// The mixture in the layers that have one, a llama's MLP in the others.
std::unique_ptr<const FeedForward> mixture_or_mlp(const LayerContext& at, const MixtureNames& names);

}  // namespace hearth
