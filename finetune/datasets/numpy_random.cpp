#include "finetune/datasets/numpy_random.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace hearth {
namespace {

// SeedSequence(seed).generate_state(4, uint64)
class SeedSequence {
 public:
  explicit SeedSequence(uint64_t seed) {
    const std::array<uint32_t, 2> entropy = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
    for (size_t i = 0; i < pool_.size(); ++i) pool_[i] = hashed(i < entropy.size() ? entropy[i] : 0);
    for (size_t source = 0; source < pool_.size(); ++source)
      for (size_t target = 0; target < pool_.size(); ++target)
        if (source != target) pool_[target] = mixed(pool_[target], hashed(pool_[source]));
  }

  std::array<uint64_t, 4> state() const {
    std::array<uint64_t, 4> words{};
    uint32_t constant = 0x8b51f9ddu;
    for (size_t i = 0; i < 2 * words.size(); ++i) {
      uint32_t value = pool_[i % pool_.size()] ^ constant;
      constant *= 0x58f38dedu;
      value *= constant;
      value ^= value >> 16;
      words[i / 2] |= uint64_t{value} << (32 * (i % 2));
    }
    return words;
  }

 private:
  uint32_t hashed(uint32_t value) {
    value ^= constant_;
    constant_ *= 0x931e8875u;
    value *= constant_;
    return value ^ (value >> 16);
  }
  static uint32_t mixed(uint32_t x, uint32_t y) {
    const uint32_t result = 0xca01f9ddu * x - 0x4973f715u * y;
    return result ^ (result >> 16);
  }

  uint32_t constant_ = 0x43b0d7e5u;
  std::array<uint32_t, 4> pool_{};
};

constexpr unsigned __int128 kMultiplier =
    (static_cast<unsigned __int128>(2549297995355413924u) << 64) | 4865540595714422341u;

unsigned __int128 joined(uint64_t high, uint64_t low) { return (static_cast<unsigned __int128>(high) << 64) | low; }

// 0 to `most`, the first of the draws' lowest bits that is not above it.
template <class Draw>
uint32_t masked(uint32_t most, const Draw& draw) {
  if (most == 0) return 0;
  uint32_t mask = most;
  for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
  uint32_t value = draw() & mask;
  while (value > most) value = draw() & mask;
  return value;
}

// As both generators do it, from the back.
template <class Draw>
std::vector<int64_t> shuffled(int64_t n, const Draw& draw) {
  std::vector<int64_t> out(static_cast<size_t>(n));
  std::iota(out.begin(), out.end(), int64_t{0});
  for (int64_t i = n - 1; i > 0; --i)
    std::swap(out[static_cast<size_t>(i)], out[masked(static_cast<uint32_t>(i), draw)]);
  return out;
}

}  // namespace

NumpyGenerator::NumpyGenerator(uint64_t seed) {
  const std::array<uint64_t, 4> words = SeedSequence(seed).state();
  increment_ = (joined(words[2], words[3]) << 1) | 1;
  state_ = increment_ + joined(words[0], words[1]);
  state_ = state_ * kMultiplier + increment_;
}

uint64_t NumpyGenerator::next() {
  state_ = state_ * kMultiplier + increment_;
  const auto high = static_cast<uint64_t>(state_ >> 64), low = static_cast<uint64_t>(state_);
  const uint64_t value = high ^ low;
  const auto turn = static_cast<unsigned>(state_ >> 122);
  return (value >> turn) | (value << ((64 - turn) & 63));
}

uint32_t NumpyGenerator::next32() {
  if (std::exchange(has_half_, !has_half_)) return half_;
  const uint64_t draw = next();
  half_ = static_cast<uint32_t>(draw >> 32);
  return static_cast<uint32_t>(draw);
}

double NumpyGenerator::random() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

int64_t NumpyGenerator::below(int64_t n) {
  if (n <= 1) return 0;
  if (n == int64_t{1} << 32) return next32();
  const auto bound = static_cast<uint32_t>(n);
  uint64_t product = uint64_t{next32()} * bound;
  if (static_cast<uint32_t>(product) < bound) {
    const uint32_t threshold = (0u - bound) % bound;
    while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next32()} * bound;
  }
  return static_cast<int64_t>(product >> 32);
}

std::vector<int64_t> NumpyGenerator::permutation(int64_t n) {
  return shuffled(n, [this] { return next32(); });
}

size_t NumpyGenerator::choice(std::span<const double> probabilities) {
  std::vector<double> sums(probabilities.size());
  std::partial_sum(probabilities.begin(), probabilities.end(), sums.begin());
  for (double& sum : sums) sum /= sums.back();
  return static_cast<size_t>(std::upper_bound(sums.begin(), sums.end(), random()) - sums.begin());
}

std::vector<int64_t> NumpyRandomState::permutation(int64_t n) {
  return shuffled(n, [this] { return static_cast<uint32_t>(twister_()); });
}

int64_t NumpyRandomState::below(int64_t n) {
  return masked(static_cast<uint32_t>(n - 1), [this] { return static_cast<uint32_t>(twister_()); });
}

}  // namespace hearth
