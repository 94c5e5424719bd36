// The oracle: the same arithmetic as the vector kernels, one value at a time.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/kernels/half.h"
#include "runtime/kernels/matmul_kernels.h"

namespace hearth::kernels {
namespace {

constexpr int kOutputs = 16;
constexpr int kInputs = 32;

void round_activations(const float* x, int64_t blocks, ActivationBlock* out) {
  for (int64_t b = 0; b < blocks; ++b, x += kInputs, ++out) {
    float largest = 0, poison = 0;
    for (int i = 0; i < kInputs; ++i) {
      largest = std::max(largest, std::abs(x[i]));
      poison += x[i] * 0.f;
    }
    const bool usable = largest > 1e-30f && poison == 0;  // 32767 / largest must be finite
    const float inverse = usable ? 32767.f / largest : 0.f;
    out->scale = (usable ? largest / 32767.f : 0.f) + poison;
    int32_t sums[2] = {0, 0};
    for (int i = 0; i < kInputs; ++i) {
      out->q[i] = usable ? static_cast<int16_t>(std::nearbyint(x[i] * inverse)) : int16_t{0};
      sums[i / 16] += out->q[i];
    }
    out->sum = out->scale * static_cast<float>(sums[0] + sums[1]);
    out->negative_sum = -(sums[0] + sums[1]);
    for (int g = 0; g < 2; ++g) {
      out->half_sum[g] = out->scale * static_cast<float>(sums[g]);
      out->negative_half_sum[g] = -sums[g];
    }
    out->padding = 0;
  }
}

// The code of `input` (0..31) of an output, whatever the width.
int code(const std::byte* block, int bits, int input, int output) {
  const int inputs_per_word = 32 / bits;
  uint32_t word;
  std::memcpy(&word, block + (input / inputs_per_word * kOutputs + output) * sizeof word, sizeof word);
  const int i = input % inputs_per_word;
  return static_cast<int>(word >> (i % 2 * 16 + i / 2 * bits) & ((1u << bits) - 1));
}

// Scale (or, counting on from the groups, minimum) number `index` of an output.
float factor(const Panel& panel, const std::byte* block, int index, int output) {
  const std::byte* factors = block + kInputs * kOutputs * panel.bits / 8;
  const int i = index * kOutputs + output;
  if (panel.bits == 16) {
    float value;
    std::memcpy(&value, factors + i * sizeof value, sizeof value);
    return value;
  }
  uint16_t h;
  std::memcpy(&h, factors + i * sizeof h, sizeof h);
  return f16_to_f32(h);
}

void unpack(const Panel& panel, int64_t blocks, std::byte* out) {
  for (int64_t b = 0; b < blocks; ++b, out += kUnpackedBlockBytes) {
    const std::byte* block = panel.blocks + b * panel.block_bytes;
    for (int i = 0; i < kInputs; ++i) {
      for (int o = 0; o < kOutputs; ++o) {
        const auto c = static_cast<int16_t>(code(block, panel.bits, i, o));
        std::memcpy(out + ((i / 2 * kOutputs + o) * 2 + i % 2) * sizeof c, &c, sizeof c);
      }
    }
    const int factors = panel.groups * (panel.has_minimum ? 2 : 1);
    for (int i = 0; i < factors * kOutputs; ++i) {
      const float value = factor(panel, block, i / kOutputs, i % kOutputs);
      std::memcpy(out + kInputs * kOutputs * sizeof(int16_t) + i * sizeof value, &value, sizeof value);
    }
  }
}

void multiply(const Panel& panel, int64_t blocks, const ActivationBlock* x, int64_t x_stride, int64_t rows, float* y,
              int64_t y_stride) {
  const int group_inputs = kInputs / panel.groups;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t b = 0; b < blocks; ++b) {
      const ActivationBlock& a = x[r * x_stride + b];
      const std::byte* block = panel.blocks + b * panel.block_bytes;
      for (int o = 0; o < kOutputs; ++o) {
        float& sum = y[r * y_stride + o];
        for (int g = 0; g < panel.groups; ++g) {
          const bool halves = panel.groups == 2;
          int32_t dot = panel.zero * (halves ? a.negative_half_sum[g] : a.negative_sum);
          for (int i = g * group_inputs; i < (g + 1) * group_inputs; ++i) dot += a.q[i] * code(block, panel.bits, i, o);
          sum = std::fma(static_cast<float>(dot), factor(panel, block, g, o) * a.scale, sum);
          if (!panel.has_minimum) continue;
          sum = std::fma(factor(panel, block, panel.groups + g, o), halves ? a.half_sum[g] : a.sum, sum);
        }
      }
    }
  }
}

template <class Stored, float (*kConvert)(Stored)>
void transpose(const Stored* in, int64_t stride, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    for (int o = 0; o < kOutputs; ++o) out[i * kOutputs + o] = kConvert(in[o * stride + i]);
  }
}

float unchanged(float value) { return value; }

constexpr MatmulKernels kKernels = {round_activations,
                                    unpack,
                                    multiply,
                                    transpose<float, unchanged>,
                                    transpose<uint16_t, f16_to_f32>,
                                    transpose<uint16_t, bf16_to_f32>};

}  // namespace

const MatmulKernels& scalar_matmul_kernels() { return kKernels; }

}  // namespace hearth::kernels
