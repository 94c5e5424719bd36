// One super-block of 256 values in the K formats that quantize() knows.
#pragma once

#include <cstdint>

namespace hearth::kernels {

void write_q4_k(const float* values, uint8_t* block);
void write_q5_k(const float* values, uint8_t* block);
void write_q6_k(const float* values, uint8_t* block);

}  // namespace hearth::kernels
