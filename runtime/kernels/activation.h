// The functions between a layer's products.
#pragma once

namespace hearth {

enum class Activation {
  kSilu,       // x sigmoid(x)
  kGelu,       // x / 2 (1 + erf(x / sqrt 2))
  kGeluTanh,   // x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
  kQuickGelu,  // x sigmoid(1.702 x)
};

}  // namespace hearth
