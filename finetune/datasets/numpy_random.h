// numpy's random numbers, to the bit: the rows that the reference holds out, takes and mixes are drawn with them.
// Source: numpy 2.4, random/bit_generator.pyx (SeedSequence), src/pcg64, src/distributions (Lemire's bounded integers),
// src/legacy; M. O'Neill, "PCG" (2014).
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace hearth {

// np.random.default_rng(seed): a Generator on PCG64.
class NumpyGenerator {
 public:
  explicit NumpyGenerator(uint64_t seed);

  uint64_t next();           // a whole 64-bit draw
  double random();           // [0, 1)
  int64_t below(int64_t n);  // integers(0, n), n from 1 to 2^32
  std::vector<int64_t> permutation(int64_t n);
  // choice(len(probabilities), p=probabilities), of which the sum is 1.
  size_t choice(std::span<const double> probabilities);

 private:
  uint32_t next32();

  unsigned __int128 state_ = 0, increment_ = 0;
  uint32_t half_ = 0;  // the upper half of a draw whose lower one was taken
  bool has_half_ = false;
};

// np.random after np.random.seed(seed): a RandomState on the Mersenne twister.
class NumpyRandomState {
 public:
  explicit NumpyRandomState(uint32_t seed) : twister_(seed) {}

  std::vector<int64_t> permutation(int64_t n);
  int64_t below(int64_t n);  // choice(n), n from 1 to 2^32

 private:
  std::mt19937 twister_;
};

}  // namespace hearth
