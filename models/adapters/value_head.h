// A reward model's value head as LLaMA-Factory keeps it beside the adapter or the checkpoint that it was trained with
// (train/callbacks.py, fix_valuehead_checkpoint): value_head.safetensors or value_head.bin, with
// "v_head.summary.weight" [1, hidden_size] and "v_head.summary.bias" [1].
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "runtime/language_model.h"
#include "runtime/value_head.h"

namespace hearth {

// As torch begins a linear map: both uniform in +-1 / sqrt(hidden_size).
ValueHead new_value_head(const LanguageModel& model, uint64_t seed);

// Where the value head of a model with these adapters is looked for: beside the last of them, or beside the model.
const std::filesystem::path& value_head_place(const std::filesystem::path& model,
                                              std::span<const std::filesystem::path> adapters);
bool has_value_head(const std::filesystem::path& directory);

// F32, F16 or BF16. Throws kNotFound without a file, kDataCorruption for a broken one or values that are not finite,
// kInvalidArgument for one that does not fit the model.
ValueHead read_value_head(const std::filesystem::path& directory, const LanguageModel& model);

// value_head.safetensors in f32, whole or not at all.
void write_value_head(const std::filesystem::path& directory, const ValueHead& head);

}  // namespace hearth
