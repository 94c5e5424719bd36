#include "finetune/optim/adamw.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>

#include "runtime/base/error.h"
#include "runtime/kernels/rows.h"

namespace hearth {
namespace {

// What names a norm or a bias: anywhere in the name, or where a component of it is, ends or begins like this. The last
// are the nn.LayerNorm modules that the Trainer knows by their class (GPT-2's ln_1, Falcon's ln_attn, MPT's norm_1).
bool names_norm_or_bias(std::string_view name) {
  for (const std::string_view part : {"bias", "layernorm", "rmsnorm"})
    if (name.find(part) != std::string_view::npos) return true;
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    const std::string_view component = name.substr(0, dot);
    if (component == "norm" || component.ends_with("_norm")) return true;
    if (component.starts_with("ln_") || component.starts_with("norm_")) return true;
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  return false;
}

bool is_vector(const Parameter& p) { return p.value.shape().rank() == 1; }

}  // namespace

bool decays(const std::string& parameter_name) {
  std::string name = parameter_name;
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return !names_norm_or_bias(name);
}

std::vector<ParameterGroup> parameter_groups(const std::vector<Parameter*>& parameters, double learning_rate,
                                             double weight_decay, const std::optional<LoraPlus>& lora_plus) {
  std::vector<ParameterGroup> groups;
  const auto add = [&](Parameter* p, double rate, double decay) {
    for (ParameterGroup& group : groups) {
      if (group.learning_rate == rate && group.weight_decay == decay) return group.parameters.push_back(p);
    }
    groups.push_back({{p}, rate, decay});
  };
  for (Parameter* p : parameters) {
    const bool decayed = decays(p->name);
    if (!lora_plus) {
      add(p, learning_rate, decayed ? weight_decay : 0);
    } else if (p->name.find("lora_embedding_B") != std::string::npos) {
      add(p, lora_plus->lr_embedding, weight_decay);
    } else if (p->name.find("lora_B") != std::string::npos || is_vector(*p)) {
      add(p, learning_rate * lora_plus->lr_ratio, decayed ? weight_decay : 0);
    } else {
      add(p, learning_rate, weight_decay);
    }
  }
  return groups;
}

AdamW::AdamW(std::vector<ParameterGroup> groups, const AdamWOptions& options)
    : groups_(std::move(groups)), options_(options) {
  for (const ParameterGroup& group : groups_) {
    for (const Parameter* p : group.parameters) {
      const Shape& shape = p->value.shape();
      state_.moments.push_back({p->name, Tensor::zeros(shape), Tensor::zeros(shape)});
    }
  }
}

void AdamW::step(double lr_factor) {
  const double steps = static_cast<double>(++state_.steps);
  const double correction1 = 1 - std::pow(options_.beta1, steps), correction2 = 1 - std::pow(options_.beta2, steps);
  kernels::AdamWStep step = {};
  step.beta1 = static_cast<float>(options_.beta1);
  step.one_minus_beta1 = static_cast<float>(1 - options_.beta1);
  step.beta2 = static_cast<float>(options_.beta2);
  step.one_minus_beta2 = static_cast<float>(1 - options_.beta2);
  step.root_correction = static_cast<float>(std::sqrt(correction2));
  step.epsilon = static_cast<float>(options_.epsilon);
  size_t at = 0;
  for (const ParameterGroup& group : groups_) {
    const double rate = group.learning_rate * lr_factor;
    step.kept = static_cast<float>(1 - rate * group.weight_decay);
    step.rate = static_cast<float>(rate / correction1);
    for (Parameter* p : group.parameters) {
      AdamWState::Moments& moments = state_.moments[at++];
      if (!p->grad.defined()) continue;
      step.gradient = p->grad.data();
      step.first = moments.first.data();
      step.second = moments.second.data();
      step.value = p->value.data();
      kernels::adamw(step, static_cast<int64_t>(p->value.size()));
    }
  }
}

void AdamW::restore(AdamWState state) {
  if (state.steps < 0) throw data_corruption("optimizer state: {} steps, must be at least 0", state.steps);
  std::unordered_map<std::string_view, const AdamWState::Moments*> saved;
  for (const AdamWState::Moments& m : state.moments) saved[m.parameter] = &m;
  std::vector<AdamWState::Moments> moments;
  for (const AdamWState::Moments& mine : state_.moments) {
    const auto found = saved.find(mine.parameter);
    if (found == saved.end()) {
      throw data_corruption("optimizer state: '{}' is missing; it was saved by a run that trained other parameters",
                            mine.parameter);
    }
    const auto& [name, first, second] = *found->second;
    for (const Tensor* t : {&first, &second}) {
      if (t->shape() == mine.first.shape()) continue;
      throw data_corruption("optimizer state: '{}' is {}, the parameter is {}", name, t->shape().to_string(),
                            mine.first.shape().to_string());
    }
    moments.push_back(*found->second);
  }
  if (saved.size() != moments.size() || saved.size() != state.moments.size()) {
    throw data_corruption("optimizer state: it has {} parameters, this run trains {}", state.moments.size(),
                          moments.size());
  }
  state_ = {state.steps, std::move(moments)};
}

}  // namespace hearth
