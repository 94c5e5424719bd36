#include "models/adapters/new_adapter.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "models/adapters/initial_factors.h"
#include "models/adapters/layout.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

using Names = std::set<std::string, std::less<>>;

std::string last_component(std::string_view path) { return std::string(path.substr(path.rfind('.') + 1)); }

// The last components of modules that `chosen` picks.
template <class Chosen>
Names components(ModelTensors tensors, const Chosen& chosen) {
  Names names;
  for (const std::shared_ptr<ModelTensor>& tensor : tensors)
    if (chosen(*tensor)) names.insert(last_component(module_path(tensor->name)));
  return names;
}

Names target_names(const std::vector<std::string>& target, ModelTensors tensors) {
  Names linear = components(tensors, [](const ModelTensor& tensor) { return tensor.linear >= 0; });
  if (target == std::vector<std::string>{"all"}) return linear;
  for (const std::string& name : target) {
    const auto means = [&](bool is_linear) {
      return std::any_of(tensors.begin(), tensors.end(), [&](const std::shared_ptr<ModelTensor>& tensor) {
        return (tensor->linear >= 0) == is_linear && ends_in_module(module_path(tensor->name), name);
      });
    };
    if (means(true)) continue;
    if (means(false))
      throw invalid_argument(
          "lora_target: '{}' is no linear map that an adapter can be put on; additional_target trains it in full; "
          "lora_target may name {}",
          name, fmt::join(linear, ", "));
    throw invalid_argument("lora_target: the model has no linear map '{}'{}; it has {}", name,
                           did_you_mean(name, linear), fmt::join(linear, ", "));
  }
  return {target.begin(), target.end()};
}

void check_additional(const std::vector<std::string>& modules, ModelTensors tensors) {
  for (const std::string& name : modules) {
    if (!saved_tensors({name}, tensors).empty()) continue;
    const Names known = components(tensors, [](const ModelTensor&) { return true; });
    throw invalid_argument("additional_target: the model has no module '{}'{}; it has {}{}", name,
                           did_you_mean(name, known), fmt::join(known, ", "),
                           name == "lm_head" ? " (its head is its table of embeddings)" : "");
  }
}

LowRank new_low_rank(const NewAdapter& wanted, const AdapterRules& rules, const ModelTensor& tensor, Random& random) {
  const std::string_view path = module_path(tensor.name);
  Factors factors = random_factors(tensor, wanted.rank, random);
  LowRank low_rank;
  low_rank.a = {peft_key(path, "lora_A.weight"), std::move(factors.a), {}};
  low_rank.b = {peft_key(path, "lora_B.weight"), std::move(factors.b), {}};
  low_rank.scale = rules.scale(path);
  low_rank.dropout = static_cast<float>(wanted.dropout);
  if (wanted.use_dora)  // of PiSSA too, whose B A gives back what was taken
    low_rank.magnitude = Parameter{peft_key(path, "lora_magnitude_vector"), row_lengths(tensor.weight), {}};
  return low_rank;
}

Tensor copy(const Tensor& x) {
  Tensor y(x.shape());
  std::copy_n(x.data(), x.size(), y.data());
  return y;
}

// The adapter begins as what it takes from the base.
void begin_as(const Adapter& taken, Adapter& adapter) {
  for (size_t id = 0; id < adapter.low_ranks.size(); ++id) {
    if (!adapter.low_ranks[id]) continue;
    adapter.low_ranks[id]->a.value = copy(taken.low_ranks[id]->a.value);
    adapter.low_ranks[id]->b.value = copy(taken.low_ranks[id]->b.value);
  }
}

}  // namespace

PeftAdapter make_adapter(const NewAdapter& wanted, ModelTensors tensors) {
  if (wanted.rank < 1) throw invalid_argument("lora_rank is {}, must be at least 1", wanted.rank);
  PeftAdapter made{{}, std::make_shared<Adapter>(), nullptr, {}};
  AdapterConfig& config = made.config;
  const Names targets = target_names(wanted.target, tensors);
  check_additional(wanted.additional_target, tensors);
  config.base_model_name_or_path = wanted.base_model_name_or_path;
  config.rank = wanted.rank;
  config.alpha = wanted.alpha;
  config.dropout = wanted.dropout;
  config.target_modules.suffixes.assign(targets.begin(), targets.end());
  config.modules_to_save = wanted.additional_target;
  config.use_rslora = wanted.use_rslora;
  config.use_dora = wanted.use_dora;
  config.pissa_iterations = wanted.pissa_iterations;
  // Of the models that hearth has, GPT-2's are the only Conv1D.
  config.fan_in_fan_out = std::any_of(tensors.begin(), tensors.end(), [](const std::shared_ptr<ModelTensor>& tensor) {
    return tensor->linear >= 0 && tensor->name.ends_with(".attn.c_attn.weight");
  });

  const AdapterRules rules(config);
  Random random(wanted.seed);
  for (const std::shared_ptr<ModelTensor>& tensor : tensors) {
    if (tensor->linear < 0 || !rules.targets(module_path(tensor->name))) continue;
    auto& low_ranks = made.adapter->low_ranks;
    low_ranks.resize(std::max<size_t>(low_ranks.size(), tensor->linear + 1));
    low_ranks[tensor->linear] = std::make_unique<LowRank>(new_low_rank(wanted, rules, *tensor, random));
  }
  if (wanted.pissa_iterations) {
    made.taken = principal_part(*made.adapter, tensors, *wanted.pissa_iterations);
    begin_as(*made.taken, *made.adapter);
  }
  for (std::shared_ptr<ModelTensor>& tensor : saved_tensors(config.modules_to_save, tensors)) {
    Tensor values = frozen_values(*tensor);
    made.saved.push_back({std::move(tensor), std::move(values)});
  }
  return made;
}

}  // namespace hearth
