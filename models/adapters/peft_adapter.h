// A LoRA adapter with what peft keeps beside it, read from and written to peft's directory: adapter_config.json and
// adapter_model.safetensors (or .bin), whose keys are "base_model.model.<path>.lora_A.weight". An adapter either fits
// the model whole or is refused with counts: nothing of it is left out.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/adapters/adapter_config.h"
#include "runtime/adapter.h"
#include "runtime/model_tensor.h"

namespace hearth {

class CheckpointFile;
struct ModelConfig;

using ModelTensors = std::span<const std::shared_ptr<ModelTensor>>;

// A tensor of the model that is trained in full (modules_to_save), with its value as ModelTensor::trained holds it.
struct SavedTensor {
  std::shared_ptr<ModelTensor> tensor;
  Tensor value;  // [out, in] or [n]
};

struct PeftAdapter {
  AdapterConfig config;
  std::shared_ptr<Adapter> adapter;
  // PiSSA's alone: the adapter goes with a base that lacks what its factors began as. Merging `taken`, whose scale is
  // negative, into the base's matrices (merge.h) makes that base; null: the base as it is.
  std::shared_ptr<const Adapter> taken;
  std::vector<SavedTensor> saved;
};

// `tensors` are the base model's, frozen. Values may be F32, F16 or BF16. Of a PiSSA adapter the initial factors are
// computed anew from the base, as peft does. Throws kNotFound without the files, kDataCorruption for broken ones,
// kInvalidArgument for what is not implemented or does not fit.
PeftAdapter read_adapter(const std::filesystem::path& directory, ModelTensors tensors);

// What can be said without the model: throws what read_adapter and served_adapter (served_adapter.h) would for its
// files, for modules_to_save, for layers that the base lacks and for projections of another hidden_size.
void check_adapter(const std::filesystem::path& directory, const ModelConfig& base);

// adapter_model.safetensors, or .bin. Throws kNotFound with neither.
std::shared_ptr<const CheckpointFile> open_adapter_tensors(const std::filesystem::path& directory);

// Writes what peft loads, in f32: the adapter's parameters and ModelTensor::trained of those that modules_to_save
// names. Each of the two files appears whole or not at all, the weights first.
void write_adapter(const std::filesystem::path& directory, const AdapterConfig& config, const Adapter& adapter,
                   ModelTensors tensors);

// The same function as plain LoRA of twice the rank on the base as it is, [A; A0] and [B, -B0]: what LLaMA-Factory
// leaves in pissa_converted/. Of the saved tensors it knows nothing.
PeftAdapter without_pissa(const PeftAdapter& pissa);

// "model.norm.weight" -> "model.norm"
std::string_view module_path(std::string_view tensor_name);
// What files call a module of such a path: as transformers 5 does, as 4 did, and within a model that sees. The path
// itself is the first.
std::vector<std::string> paths_in_files(std::string_view path);
// The tensors that modules_to_save means, in the model's order.
std::vector<std::shared_ptr<ModelTensor>> saved_tensors(const std::vector<std::string>& modules, ModelTensors tensors);
// "base_model.model.<path>.lora_A.weight" and its like: also the parameters' names.
std::string peft_key(std::string_view path, std::string_view rest);

}  // namespace hearth
