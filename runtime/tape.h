// Reverse-mode differentiation by a Wengert list. Eager order is topological order, so there is no graph and no
// recursion. An op records itself only inside Tape::Recording on its thread and only when an input needs a gradient.
// Backward functions accumulate; there are no second-order gradients.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime/kept.h"
#include "runtime/kernels/gradient_sum.h"
#include "runtime/tensor.h"

namespace hearth {

// The only trainable thing. The optimizer owns the moments.
struct Parameter {
  std::string name;
  Tensor value;
  Tensor grad;  // same shape; accumulated into until the owner zeroes it
};

class Tape {
 public:
  using Backward = std::function<void(const Tensor& dy, Tape& tape)>;

  explicit Tape(KeptPrecision precision = KeptPrecision::kFloat32) : precision_(precision) {}
  KeptPrecision precision() const { return precision_; }

  // While it lives, ops on this thread record on `tape`.
  class Recording {
   public:
    explicit Recording(Tape& tape) : previous_(active_) { active_ = &tape; }
    ~Recording() { active_ = previous_; }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

   private:
    Tape* previous_;
  };

  // While it lives, ops on this thread do not record: a reference pass, an evaluation.
  class Paused {
   public:
    Paused() : previous_(active_) { active_ = nullptr; }
    ~Paused() { active_ = previous_; }
    Paused(const Paused&) = delete;
    Paused& operator=(const Paused&) = delete;

   private:
    Tape* previous_;
  };

  // The tape to record on, or null when recording is off or no input needs a gradient.
  template <class... Tensors>
  static Tape* wanted_by(const Tensors&... inputs) {
    return active_ && (inputs.needs_grad() || ...) ? active_ : nullptr;
  }
  static bool recording() { return active_ != nullptr; }
  static Tape* active() { return active_; }  // null when recording is off

  // The parameter as an op's input; backward adds to parameter.grad. `parameter` must outlive the tape's sweep.
  static Tensor leaf(Parameter& parameter);

  // `make` makes rows of y from what `backward` keeps anyway, for little work; without it y itself is kept for those
  // who read it.
  void record(Tensor& y, Backward backward, Kept::Make make = {});
  // What a backward function is to hold of a tensor that it will read.
  Kept keep(const Tensor& x) const;

  // The gradient buffer of an input, zeroed at first use; null when it needs none. Backward functions accumulate into
  // it.
  Tensor* grad(const Tensor& x);
  // The same for a kernel that writes all of it where it is the first, which saves the zeros. The kernel must follow.
  kernels::GradientSum sum(const Tensor& x);
  // x's gradient += dy, whose buffer it shares while there is no other. Nothing when x needs none.
  void add(const Tensor& x, const Tensor& dy);

  // Sweeps from the scalar `loss` to the leaves and empties the tape; saved activations die as the sweep passes them.
  void backward(const Tensor& loss);
  // The same from any recorded tensor, whose gradient is dy.
  void backward(const Tensor& y, const Tensor& dy);

  size_t size() const { return nodes_.size(); }

 private:
  struct Node {
    Backward backward;
    std::shared_ptr<const Kept::Make> make;
    Tensor grad;
  };
  Tensor& gradient_of(const Tensor& x);
  KeptPrecision precision_;
  std::vector<Node> nodes_;
  static thread_local Tape* active_;
};

}  // namespace hearth
