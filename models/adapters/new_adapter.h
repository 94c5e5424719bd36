// A new adapter for a model, as LLaMA-Factory sets one up (model/adapter.py: _setup_lora_tuning): which linear maps it
// is put on, what its factors begin as, and which tensors are trained in full beside them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/adapters/peft_adapter.h"

namespace hearth {

struct NewAdapter {
  std::string base_model_name_or_path = {};
  int rank = 8;
  double alpha = 16;
  double dropout = 0;
  std::vector<std::string> target = {"all"};        // or ends of module paths
  std::vector<std::string> additional_target = {};  // modules trained and saved in full
  bool use_rslora = false, use_dora = false;
  std::optional<int> pissa_iterations = {};  // of the fast SVD; -1: the exact one
  uint64_t seed = 0;
};

// Factors depend on nothing but the seed and the model. PeftAdapter::saved has the frozen values. Throws
// kInvalidArgument for a name that means nothing in this model, with those that do.
PeftAdapter make_adapter(const NewAdapter& wanted, ModelTensors tensors);

}  // namespace hearth
