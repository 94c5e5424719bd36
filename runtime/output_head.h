// What makes logits of a model's hidden states.
#pragma once

#include <memory>

#include "runtime/model_tensor.h"
#include "runtime/weight.h"

namespace hearth {

struct OutputHead {
  Weight weight;                                        // [vocab_size, hidden_size]
  float softcap = 0;                                    // logits become softcap * tanh(logit / softcap); 0: none
  std::shared_ptr<const ModelTensor> tensor = nullptr;  // whose trained value, if it has one, takes weight's place
  float hidden_multiplier = 1;                          // factor on logits, which hidden states carry already
};

}  // namespace hearth
