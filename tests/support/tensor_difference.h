// How far what was found is from what was expected.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "runtime/tensor.h"

namespace hearth {

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Of all tensors as one vector: the length of the difference over that of what was expected; infinite where their
// shapes differ.
inline double relative_difference(const std::vector<Tensor>& found, const std::vector<Tensor>& expected) {
  if (found.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, length = 0;
  for (size_t t = 0; t < expected.size(); ++t) {
    if (!(found[t].shape() == expected[t].shape())) return std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < expected[t].size(); ++i) {
      difference += std::pow(double{found[t].data()[i]} - expected[t].data()[i], 2);
      length += std::pow(double{expected[t].data()[i]}, 2);
    }
  }
  return std::sqrt(difference / length);
}

}  // namespace hearth
