// AdamW with decoupled weight decay (arXiv 1711.05101) as torch.optim.AdamW computes it: the decay first,
// bias-corrected moments, epsilon outside the square root. Groups have their own learning rate and decay, as
// transformers' Trainer and LLaMA-Factory's LoRA+ (arXiv 2402.12354) make them. Parameters without a gradient stay as
// they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/tape.h"

namespace hearth {

struct ParameterGroup {
  std::vector<Parameter*> parameters;
  double learning_rate;  // the peak
  double weight_decay;
};

struct LoraPlus {
  double lr_ratio;      // of matrices B and of vectors
  double lr_embedding;  // of an embedding's B, an absolute rate
};

// By the parameters' names and shapes: names of biases and norms are not decayed; with `lora_plus`, "lora_B" and
// vectors learn faster and "lora_embedding_B" has its own rate. Empty groups are left out.
std::vector<ParameterGroup> parameter_groups(const std::vector<Parameter*>& parameters, double learning_rate,
                                             double weight_decay, const std::optional<LoraPlus>& lora_plus);

// Whether transformers' Trainer applies weight decay to it (get_decay_parameter_names).
bool decays(const std::string& parameter_name);

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
};

struct AdamWState {
  struct Moments {
    std::string parameter;
    Tensor first, second;  // means of the gradient and of its square, in the parameter's shape
  };
  int64_t steps = 0;
  std::vector<Moments> moments;  // in the order of the groups' parameters
};

class AdamW {
 public:
  // The parameters must outlive it.
  AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options);

  // One update at every group's learning rate times `lr_factor` (schedule.h).
  void step(double lr_factor);

  // Its tensors are the optimizer's own, which the next step changes.
  const AdamWState& state() const { return state_; }
  // Takes the tensors over. Moments are found by their parameters' names. Throws kDataCorruption, and changes nothing,
  // when one is missing or left over or has another shape.
  void restore(AdamWState state);

  const std::vector<ParameterGroup>& groups() const { return groups_; }

 private:
  std::vector<ParameterGroup> groups_;
  AdamWOptions options_;
  AdamWState state_;
};

}  // namespace hearth
