// A training job from LLaMA-Factory's YAML, as its `llamafactory-cli train FILE key=value ...` takes it: strict, and
// checked before a model or a data set is opened. Every error names file, line, key, what was found and the remedy;
// a key that hearth lacks and that would change the result is one of them.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "finetune/spec/train_spec.h"

namespace hearth {

// `overrides`: "key=value" or "key.inner=value", which win. Throws kInvalidArgument; kNotFound for the file.
TrainSpec load_train_spec(const std::filesystem::path& yaml, std::span<const std::string> overrides = {});

// The same of the text of the file that errors call `name`.
TrainSpec parse_train_spec(std::string_view text, std::string_view name, std::span<const std::string> overrides = {});

}  // namespace hearth
