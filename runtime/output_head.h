// What makes logits of a model's hidden states.
#pragma once

#include "runtime/weight.h"

namespace hearth {

struct OutputHead {
  Weight weight;      // [vocab_size, hidden_size]
  float softcap = 0;  // logits become softcap * tanh(logit / softcap); 0: none
};

}  // namespace hearth
