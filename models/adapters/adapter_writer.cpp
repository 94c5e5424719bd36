#include <algorithm>
#include <cmath>
#include <utility>

#include "models/adapters/layout.h"
#include "models/adapters/peft_adapter.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/safetensors_writer.h"

namespace hearth {
namespace {

// [A; A0]
Tensor below(const Tensor& upper, const Tensor& lower) {
  Tensor both(Shape{upper.dim(0) + lower.dim(0), upper.dim(1)});
  std::copy_n(lower.data(), lower.size(), std::copy_n(upper.data(), upper.size(), both.data()));
  return both;
}

// [B, -B0]
Tensor beside_negated(const Tensor& left, const Tensor& right) {
  const int64_t n = left.dim(1), m = right.dim(1);
  Tensor both(Shape{left.dim(0), n + m});
  for (int64_t r = 0; r < left.dim(0); ++r) {
    float* rest = std::copy_n(left.row(r), n, both.row(r));
    std::transform(right.row(r), right.row(r) + m, rest, [](float value) { return -value; });
  }
  return both;
}

}  // namespace

void write_adapter(const std::filesystem::path& directory, const AdapterConfig& config, const Adapter& adapter,
                   ModelTensors tensors) {
  std::vector<TensorToWrite> files;
  for (const std::shared_ptr<ModelTensor>& tensor : tensors) {
    const LowRank* low_rank = adapter.at(tensor->linear);
    if (!low_rank) continue;
    const std::string_view path = module_path(tensor->name);
    files.push_back(TensorToWrite::f32(peft_key(path, "lora_A.weight"), low_rank->a.value));
    files.push_back(TensorToWrite::f32(peft_key(path, "lora_B.weight"), low_rank->b.value));
    if (low_rank->magnitude)
      files.push_back(TensorToWrite::f32(peft_key(path, "lora_magnitude_vector"), low_rank->magnitude->value));
  }
  for (const std::shared_ptr<ModelTensor>& tensor : saved_tensors(config.modules_to_save, tensors)) {
    HEARTH_CHECK(tensor->trained != nullptr);
    files.push_back(
        TensorToWrite::f32("base_model.model." + tensor->name, to_checkpoint(config, *tensor, tensor->trained->value)));
  }
  write_safetensors(directory / "adapter_model.safetensors", std::move(files));
  write_file_atomic(directory / "adapter_config.json", to_json(config));
}

PeftAdapter without_pissa(const PeftAdapter& pissa) {
  HEARTH_CHECK(pissa.taken != nullptr);
  PeftAdapter plain{pissa.config, std::make_shared<Adapter>(), nullptr, {}};
  const double alphas = plain.config.use_rslora ? std::sqrt(2.0) : 2.0;  // the scale stays
  plain.config.pissa_iterations.reset();
  plain.config.rank *= 2;
  plain.config.alpha *= alphas;
  for (auto& [expression, rank] : plain.config.rank_pattern) rank *= 2;
  for (auto& [expression, alpha] : plain.config.alpha_pattern) alpha *= alphas;
  plain.adapter->name = pissa.adapter->name;
  for (const std::unique_ptr<LowRank>& low_rank : pissa.adapter->low_ranks) {
    const LowRank* taken = pissa.taken->at(static_cast<LinearId>(plain.adapter->low_ranks.size()));
    HEARTH_CHECK((low_rank == nullptr) == (taken == nullptr));
    auto both = low_rank ? std::make_unique<LowRank>(*low_rank) : nullptr;
    if (both) {
      both->a = {low_rank->a.name, below(low_rank->a.value, taken->a.value), {}};
      both->b = {low_rank->b.name, beside_negated(low_rank->b.value, taken->b.value), {}};
    }
    plain.adapter->low_ranks.push_back(std::move(both));
  }
  return plain;
}

}  // namespace hearth
