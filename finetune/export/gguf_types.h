// Which type each tensor of a GGUF gets: the mixtures of llama.cpp's quantize (src/llama-quant.cpp), by which people
// know a "Q4_K_M".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "finetune/spec/export_spec.h"
#include "runtime/io/gguf.h"

namespace hearth {

// The model as a whole, which some types depend on.
struct GgufShape {
  int num_layers = 0;
  int num_experts = 0;
  bool has_output = false;  // else the token table is the output head too

  // Knows the tensor of that name.
  void add(std::string_view tensor);
  static GgufShape of(const GgufFile& gguf);
};

struct GgufTensorKind {
  std::string_view name;
  std::span<const int64_t> dims;  // as ggml counts them, the contiguous one first
  Format format;                  // that it has
};
Format gguf_tensor_format(const GgufTensorKind& tensor, GgufQuantization quantization, const GgufShape& shape);

// general.file_type
uint32_t gguf_file_type(GgufQuantization quantization);

}  // namespace hearth
