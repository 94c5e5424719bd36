// What `hearth export` is to do, from LLaMA-Factory's YAML of `llamafactory-cli export FILE key=value ...`. Two keys
// are hearth's own: export_format (safetensors or gguf; without it as the model is) and export_quantization (the types
// of a GGUF's tensors). Strict, as load_train_spec.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/loader.h"
#include "runtime/kernels/format.h"

namespace hearth {

enum class ExportFormat { kSafetensors, kGguf };

// Named as llama.cpp's quantize names them.
enum class GgufQuantization { kF32, kF16, kBf16, kQ8_0, kQ4_0, kQ4_1, kQ6_K, kQ4_K_M };
std::string_view name_of(GgufQuantization quantization);

struct ExportSpec {
  std::string model_name_or_path;  // with its revision
  std::vector<std::string> adapter_name_or_path = {};
  ChatOptions chat = {};
  bool is_reward_model = false;  // stage: rm, whose value head goes along
  std::filesystem::path export_dir;
  int64_t export_size = 5;                  // 10^9 bytes of a file of weights
  std::optional<Format> dtype = {};         // infer_dtype: of the weights that are written; nothing: as they are
  std::optional<ExportFormat> format = {};  // nothing: GGUF with a quantization, else the model's
  // Nothing: each tensor as it is, or f16 where a Hugging Face checkpoint becomes a GGUF file.
  std::optional<GgufQuantization> quantization = {};
  std::vector<std::string> warnings = {};
  std::string yaml = {};  // all keys as they were given, overrides among them: reads back as the same
};

// Throw kInvalidArgument; kNotFound for the file.
ExportSpec load_export_spec(const std::filesystem::path& yaml, std::span<const std::string> overrides = {});
ExportSpec parse_export_spec(std::string_view text, std::string_view name, std::span<const std::string> overrides = {});

}  // namespace hearth
