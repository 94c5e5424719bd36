#include "runtime/tape.h"

#include "runtime/base/error.h"
#include "runtime/kernels/rows.h"

namespace hearth {

thread_local Tape* Tape::active_ = nullptr;

Tensor Tape::leaf(Parameter& parameter) {
  Tensor value = parameter.value;
  if (!active_) return value;
  if (!parameter.grad.defined()) parameter.grad = Tensor::zeros(value.shape());
  if (!(parameter.grad.shape() == value.shape())) {
    throw internal_error("parameter '{}': its gradient is {}, must be {} like its value", parameter.name,
                         parameter.grad.shape().to_string(), value.shape().to_string());
  }
  active_->record(value, [&parameter](const Tensor& dy, Tape&) {
    kernels::add_scaled(dy.data(), 1.0f, static_cast<int64_t>(dy.size()), parameter.grad.data());
  });
  return value;
}

void Tape::record(Tensor& y, Backward backward, Kept::Make make) {
  y.node_ = static_cast<int>(nodes_.size());
  nodes_.push_back({std::move(backward), make ? std::make_shared<const Kept::Make>(std::move(make)) : nullptr, {}});
}

Kept Tape::keep(const Tensor& x) const {
  if (x.needs_grad()) {
    HEARTH_CHECK(static_cast<size_t>(x.node_) < nodes_.size());
    if (nodes_[x.node_].make) return {x, nodes_[x.node_].make};
  }
  return {x, precision_};
}

// May be undefined; else it is not shared, so that it can be written to.
Tensor& Tape::gradient_of(const Tensor& x) {
  HEARTH_CHECK(static_cast<size_t>(x.node_) < nodes_.size());
  Tensor& gradient = nodes_[x.node_].grad;
  if (gradient.defined() && gradient.buffer_.use_count() > 1) {
    Tensor own(gradient.shape());
    kernels::scale(gradient.data(), 1.0f, static_cast<int64_t>(own.size()), own.data());
    gradient = std::move(own);
  }
  return gradient;
}

Tensor* Tape::grad(const Tensor& x) {
  if (!x.needs_grad()) return nullptr;
  Tensor& gradient = gradient_of(x);
  if (!gradient.defined()) gradient = Tensor::zeros(x.shape());
  return &gradient;
}

kernels::GradientSum Tape::sum(const Tensor& x) {
  if (!x.needs_grad()) return {};
  Tensor& gradient = gradient_of(x);
  const bool adds = gradient.defined();
  if (!adds) gradient = Tensor(x.shape());
  return {gradient.data(), adds};
}

void Tape::add(const Tensor& x, const Tensor& dy) {
  if (!x.needs_grad()) return;
  HEARTH_CHECK(static_cast<size_t>(x.node_) < nodes_.size() && x.shape() == dy.shape());
  Tensor& gradient = nodes_[x.node_].grad;
  if (!gradient.defined()) {
    gradient = dy;
  } else if (gradient.buffer_.use_count() > 1) {
    Tensor sum(x.shape());
    kernels::add(gradient.data(), dy.data(), static_cast<int64_t>(sum.size()), sum.data());
    gradient = std::move(sum);
  } else {
    kernels::add_scaled(dy.data(), 1.0f, static_cast<int64_t>(dy.size()), gradient.data());
  }
}

void Tape::backward(const Tensor& loss) {
  if (loss.size() != 1) throw internal_error("backward: the loss is {}, must be one value", loss.shape().to_string());
  backward(loss, Tensor::from(loss.shape(), {1.0f}));
}

void Tape::backward(const Tensor& y, const Tensor& dy) {
  if (!y.needs_grad()) throw internal_error("backward: the loss does not depend on a recorded tensor");
  add(y, dy);
  const Paused no_second_order;
  struct Emptied {  // also when a backward function throws
    std::vector<Node>& nodes;
    ~Emptied() { nodes.clear(); }
  } const emptied{nodes_};
  for (size_t i = nodes_.size(); i-- > 0;) {
    const Node node = std::move(nodes_[i]);
    nodes_[i] = {};
    if (node.grad.defined()) node.backward(node.grad, *this);
  }
}

}  // namespace hearth
