// Where a gradient goes: it is added to what is there or, when it is the first, written, so that nobody fills buffers
// with zeros only to add to them. A first gradient has the bits of one added to zeros.
#pragma once

namespace hearth::kernels {

struct GradientSum {
  GradientSum() = default;
  GradientSum(float* v, bool a = true) : values(v), adds(a) {}  // NOLINT: a buffer that has values is one

  explicit operator bool() const { return values != nullptr; }
  GradientSum from(long offset) const { return {values ? values + offset : nullptr, adds}; }

  float* values = nullptr;  // null: not wanted
  bool adds = true;
};

}  // namespace hearth::kernels
