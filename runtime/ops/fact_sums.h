// What TokenFacts are made of while a row's logits pass, at once or block by block. With e_v = exp(logit_v - shift) and
// s = sum(e): entropy = log s - sum(e_v (logit_v - shift)) / s, and log sum(p^2) = log sum(e^2) - 2 log s.
#pragma once

#include <cmath>
#include <limits>

#include "runtime/kernels/rows.h"
#include "runtime/ops/ops.h"

namespace hearth::ops {

class FactSums {
 public:
  // Logits [count] become exp(logit - shift).
  void add(float* logits, float shift, int64_t count) {
    const kernels::ExpSums sums = kernels::exp_sums(logits, shift, count);
    squares_ += sums.squares;
    products_ += sums.products;
    logits_ += sums.logits;
    largest_ = std::fmax(largest_, sums.largest);
  }

  // What was added with the shift `from` becomes what it were with `to`; sum: of exp(logit - from).
  void change_shift(float from, float to, float sum) {
    if (sum == 0) return;  // nothing yet
    const double factor = std::exp(double{from} - to);
    squares_ *= factor * factor;
    products_ = factor * (products_ + sum * (double{from} - to));
  }

  // sum: of exp(logit - shift) over the whole vocabulary
  TokenFacts facts(float sum, float target_logit, int64_t vocab_size) const {
    const double log_sum = std::log(double{sum});
    return {.entropy = static_cast<float>(log_sum - products_ / sum),
            .log_sum_squares = static_cast<float>(std::log(squares_) - 2 * log_sum),
            .mean_logit = static_cast<float>(logits_ / static_cast<double>(vocab_size)),
            .is_likeliest = target_logit >= largest_};
  }

 private:
  double squares_ = 0, products_ = 0, logits_ = 0;
  float largest_ = -std::numeric_limits<float>::infinity();
};

}  // namespace hearth::ops
