// What makes rewards of a model's hidden states: a linear map to one number, as trl's ValueHead has it
// (trl/models/modeling_value_head.py; its dropout, 0.1 while training, is its caller's).
#pragma once

#include "runtime/tape.h"

namespace hearth {

struct ValueHead {
  Parameter weight;  // [1, hidden_size]
  Parameter bias;    // [1]
  // What the model's hidden states have been multiplied by for the sake of the output head; the value head sees them
  // without it.
  float hidden_multiplier = 1;
};

}  // namespace hearth
