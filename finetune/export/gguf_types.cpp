#include "finetune/export/gguf_types.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>

#include "runtime/base/error.h"

namespace hearth {
namespace {

// "blk.12.attn_v.weight" -> 12; -1: of no layer
int layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  int layer = -1;
  if (name.starts_with(kPrefix)) std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  return layer;
}

// The first and the last eighth of the layers, and every third between them.
bool is_sensitive(int layer, int num_layers) {
  const int eighth = num_layers / 8;
  return layer < eighth || layer >= 7 * num_layers / 8 || (layer - eighth) % 3 == 2;
}

// What is added, scaled or chosen by rather than multiplied: too small to matter, and exact.
bool stays_f32(const GgufTensorKind& tensor) {
  constexpr std::string_view kSmall[] = {"_norm.weight", "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight"};
  return tensor.dims.size() < 2 || !tensor.name.ends_with("weight") ||
         std::any_of(std::begin(kSmall), std::end(kSmall),
                     [&](std::string_view end) { return tensor.name.ends_with(end); });
}

bool is_tables(std::string_view name) { return name == "position_embd.weight" || name == "token_types.weight"; }

Format q4_k_m(std::string_view name, const GgufShape& shape) {
  const bool sensitive = is_sensitive(layer_of(name), shape.num_layers);
  const bool has_eight = shape.num_experts == 8;
  if (name.ends_with("attn_v.weight")) return has_eight ? Format::kQ8_0 : sensitive ? Format::kQ6_K : Format::kQ4_K;
  if (name.ends_with("attn_k.weight")) return has_eight ? Format::kQ8_0 : Format::kQ4_K;
  if (name.ends_with("attn_output.weight")) return has_eight ? Format::kQ5_K : Format::kQ4_K;
  if (name.ends_with("attn_qkv.weight")) return Format::kQ5_K;
  if (name.find("ffn_down") != std::string_view::npos) return sensitive ? Format::kQ6_K : Format::kQ4_K;
  return Format::kQ4_K;
}

Format wanted(std::string_view name, GgufQuantization quantization, const GgufShape& shape) {
  const bool is_head = name == "output.weight" || (name == "token_embd.weight" && !shape.has_output);
  switch (quantization) {
    case GgufQuantization::kF32:
      return Format::kF32;
    case GgufQuantization::kF16:
      return Format::kF16;
    case GgufQuantization::kBf16:
      return Format::kBF16;
    case GgufQuantization::kQ8_0:
      return Format::kQ8_0;
    case GgufQuantization::kQ4_0:
      return is_head ? Format::kQ6_K : Format::kQ4_0;
    case GgufQuantization::kQ4_1:
      return is_head ? Format::kQ6_K : Format::kQ4_1;
    case GgufQuantization::kQ6_K:
      return Format::kQ6_K;
    case GgufQuantization::kQ4_K_M:
      return is_head ? Format::kQ6_K : q4_k_m(name, shape);
  }
  throw internal_error("a quantisation without a type");
}

// For rows that are no multiple of the block: the next format of blocks of 32.
Format that_fits(Format format, int64_t row, bool is_head) {
  if (row % info(format).block_size == 0) return format;
  Format smaller = Format::kF16;
  if (format == Format::kQ4_K) smaller = Format::kQ5_0;
  if (format == Format::kQ5_K) smaller = Format::kQ5_1;
  if (format == Format::kQ6_K || is_head) smaller = Format::kQ8_0;
  return row % info(smaller).block_size == 0 ? smaller : Format::kF16;
}

}  // namespace

void GgufShape::add(std::string_view tensor) {
  num_layers = std::max(num_layers, layer_of(tensor) + 1);
  has_output |= tensor == "output.weight";
}

GgufShape GgufShape::of(const GgufFile& gguf) {
  GgufShape shape;
  for (const GgufFile::Tensor& tensor : gguf.tensors()) shape.add(tensor.name);
  const std::string architecture(gguf.string("general.architecture").value_or(""));
  shape.num_experts = static_cast<int>(gguf.integer(architecture + ".expert_count").value_or(0));
  return shape;
}

Format gguf_tensor_format(const GgufTensorKind& tensor, GgufQuantization quantization, const GgufShape& shape) {
  if (stays_f32(tensor)) return Format::kF32;
  if (is_tables(tensor.name)) return tensor.format;
  const Format format = wanted(tensor.name, quantization, shape);
  return that_fits(format, tensor.dims[0], tensor.name == "output.weight");
}

uint32_t gguf_file_type(GgufQuantization quantization) {
  switch (quantization) {
    case GgufQuantization::kF32:
      return 0;
    case GgufQuantization::kF16:
      return 1;
    case GgufQuantization::kQ4_0:
      return 2;
    case GgufQuantization::kQ4_1:
      return 3;
    case GgufQuantization::kQ8_0:
      return 7;
    case GgufQuantization::kQ4_K_M:
      return 15;
    case GgufQuantization::kQ6_K:
      return 18;
    case GgufQuantization::kBf16:
      return 32;
  }
  throw internal_error("a quantisation without a number");
}

}  // namespace hearth
