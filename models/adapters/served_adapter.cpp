#include "models/adapters/served_adapter.h"

#include <utility>
#include <vector>

#include "models/adapters/merge.h"
#include "runtime/base/error.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

void set_row_norms(Adapter& adapter, ModelTensors tensors) {
  for (const std::shared_ptr<ModelTensor>& tensor : tensors) {
    LowRank* part = adapter.at(tensor->linear);
    if (part && part->magnitude)
      part->norms = ops::row_norms(tensor->weight, part->a.value, part->b.value, part->scale);
  }
}

// Linear maps stay weights, which the next adapter can be merged into; the rest is read as a trained tensor is.
void put_saved(const SavedTensor& saved, ComputeDtype dtype) {
  ModelTensor& tensor = *saved.tensor;
  if (tensor.linear < 0) {
    tensor.trained = std::make_unique<Parameter>(Parameter{tensor.name, saved.value, {}});
    return;
  }
  const Tensor& value = saved.value;
  tensor.weight =
      Weight::from_values(value.dim(0), value.dim(1), std::vector<float>(value.data(), value.data() + value.size()));
  tensor.weight.prepare(dtype);
}

void work_in(const PeftAdapter& peft, ModelTensors tensors, ComputeDtype dtype) {
  merge_into(tensors, peft, dtype);
  for (const SavedTensor& saved : peft.saved) put_saved(saved, dtype);
}

}  // namespace

void require_servable(const AdapterConfig& config, std::string_view name) {
  if (!config.modules_to_save.empty())
    throw invalid_argument(
        "adapter '{}' has modules_to_save ({}), which change the model itself: serve it as the model's only adapter",
        name, fmt::join(config.modules_to_save, ", "));
}

std::shared_ptr<const Adapter> served_adapter(PeftAdapter peft, ModelTensors tensors) {
  if (!peft.saved.empty()) require_servable(peft.config, peft.adapter->name);
  if (peft.taken) peft = without_pissa(peft);
  set_row_norms(*peft.adapter, tensors);
  return std::move(peft.adapter);
}

std::shared_ptr<const Adapter> apply_adapters(std::span<const std::filesystem::path> directories, ModelTensors tensors,
                                              ComputeDtype dtype) {
  for (const std::filesystem::path& directory : directories) {
    PeftAdapter peft = read_adapter(directory, tensors);
    if (directories.size() == 1 && peft.saved.empty()) return served_adapter(std::move(peft), tensors);
    work_in(peft, tensors, dtype);
  }
  return nullptr;
}

}  // namespace hearth
