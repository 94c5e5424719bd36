// Adapters as serving applies them: beside the model, which stays as it is, or worked into it. Applied beside it an
// adapter costs little time and memory and is exact on a quantised base; that is why one alone is never merged.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "models/adapters/adapter_config.h"
#include "models/adapters/peft_adapter.h"
#include "runtime/adapter.h"
#include "runtime/weight.h"

namespace hearth {

// What requests name to go through `peft`: PiSSA's as plain LoRA on the base as it is, DoRA's with the lengths that
// decoding divides by. Throws kInvalidArgument for one with modules_to_save, which only apply_adapters takes.
std::shared_ptr<const Adapter> served_adapter(PeftAdapter peft, ModelTensors tensors);

// The same refusal, from the config alone.
void require_servable(const AdapterConfig& config, std::string_view name);

// The model with all of these adapters, each trained on the result of those before (LLaMA-Factory's
// adapter_name_or_path): returns the one that every request has to name, or works them into the model in their order
// and returns null. `tensors` are of a model that is not in use; `dtype` is what it computes in. Throws what
// read_adapter throws.
std::shared_ptr<const Adapter> apply_adapters(std::span<const std::filesystem::path> directories, ModelTensors tensors,
                                              ComputeDtype dtype);

}  // namespace hearth
