#include "models/adapters/merged_model.h"

#include <algorithm>
#include <utility>

#include "models/adapters/layout.h"
#include "models/adapters/merge.h"

namespace hearth {
namespace {

const SavedTensor* saved_of(const PeftAdapter& peft, const ModelTensor& tensor) {
  const auto found = std::find_if(peft.saved.begin(), peft.saved.end(),
                                  [&](const SavedTensor& saved) { return saved.tensor.get() == &tensor; });
  return found == peft.saved.end() ? nullptr : &*found;
}

Weight as_weight(const Tensor& values) {
  const auto* rows = reinterpret_cast<const std::byte*>(values.data());
  return {Format::kF32, values.dim(0), values.dim(1), rows, std::make_shared<const Tensor>(values)};
}

Weight merged_weight(const PeftAdapter& peft, const ModelTensor& tensor, Weight weight) {
  for (const Adapter* adapter : {peft.taken.get(), static_cast<const Adapter*>(peft.adapter.get())}) {
    const LowRank* part = adapter ? adapter->at(tensor.linear) : nullptr;
    if (part) weight = merged(weight, *part);
  }
  const SavedTensor* saved = saved_of(peft, tensor);
  return saved ? as_weight(saved->value) : weight;
}

}  // namespace

MergedModel::MergedModel(std::span<const std::filesystem::path> adapters, ModelTensors tensors) {
  for (const std::filesystem::path& directory : adapters) {
    if (!adapters_.empty() && read_adapter_config(directory).pissa_iterations) work_in(tensors);
    adapters_.push_back(read_adapter(directory, tensors));
  }
}

void MergedModel::work_in(ModelTensors tensors) {
  for (const std::shared_ptr<ModelTensor>& tensor : tensors) {
    if (!changes(*tensor)) continue;
    const Tensor merged_values = values(*tensor);
    if (tensor->is_matrix()) {
      tensor->weight = as_weight(merged_values);
    } else {
      tensor->value = merged_values;
    }
    worked_in_.insert(tensor.get());
  }
  adapters_.clear();
}

bool MergedModel::changes(const ModelTensor& tensor) const {
  return worked_in_.contains(&tensor) || std::any_of(adapters_.begin(), adapters_.end(), [&](const PeftAdapter& peft) {
           return peft.adapter->at(tensor.linear) || saved_of(peft, tensor);
         });
}

Tensor MergedModel::values(const ModelTensor& tensor) const {
  if (!tensor.is_matrix()) {
    Tensor values = frozen_values(tensor);
    for (const PeftAdapter& peft : adapters_)
      if (const SavedTensor* saved = saved_of(peft, tensor))
        std::copy_n(saved->value.data(), values.size(), values.data());
    return values;
  }
  Weight weight = tensor.weight;
  for (const PeftAdapter& peft : adapters_) weight = merged_weight(peft, tensor, std::move(weight));
  Tensor values(shape_of(tensor));
  weight.dequantize_rows(0, weight.out(), values.data());
  return values;
}

}  // namespace hearth
