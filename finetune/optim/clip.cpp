#include "finetune/optim/clip.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernels/rows.h"

namespace hearth {

double clip_grad_norm(const std::vector<Parameter*>& parameters, double max_norm) {
  double squares = 0;
  for (const Parameter* p : parameters) {
    if (p->grad.defined()) squares += kernels::sum_of_squares(p->grad.data(), static_cast<int64_t>(p->grad.size()));
  }
  const double norm = std::sqrt(squares);
  if (max_norm <= 0 || !std::isfinite(norm)) return norm;
  const double factor = max_norm / (norm + 1e-6);
  if (factor >= 1) return norm;
  for (Parameter* p : parameters) {
    if (!p->grad.defined()) continue;
    kernels::scale(p->grad.data(), static_cast<float>(factor), static_cast<int64_t>(p->grad.size()), p->grad.data());
  }
  return norm;
}

void zero_gradients(const std::vector<Parameter*>& parameters) {
  for (Parameter* p : parameters)
    if (p->grad.defined()) std::fill_n(p->grad.data(), p->grad.size(), 0.f);
}

}  // namespace hearth
