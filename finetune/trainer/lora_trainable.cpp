#include "finetune/trainer/lora_trainable.h"

#include <algorithm>
#include <utility>

#include <fmt/ranges.h>

#include "finetune/objectives/reference.h"
#include "finetune/spec/spec_fields.h"
#include "finetune/trainer/frozen_parts.h"
#include "models/adapters/merge.h"
#include "models/adapters/new_adapter.h"
#include "models/adapters/peft_adapter.h"
#include "models/vision/picture_reader.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

int64_t num_values(const std::vector<Parameter*>& parameters) {
  int64_t n = 0;
  for (const Parameter* parameter : parameters) n += static_cast<int64_t>(parameter->value.size());
  return n;
}

int64_t num_values(ModelTensors tensors) {
  int64_t n = 0;
  for (const auto& tensor : tensors)
    n += tensor->is_matrix() ? tensor->weight.out() * tensor->weight.in() : static_cast<int64_t>(tensor->value.size());
  return n;
}

std::vector<Parameter*> parameters_of(const Adapter& adapter) {
  std::vector<Parameter*> parameters;
  for (const std::unique_ptr<LowRank>& part : adapter.low_ranks) {
    if (!part) continue;
    parameters.push_back(&part->a);
    parameters.push_back(&part->b);
    if (part->magnitude) parameters.push_back(&*part->magnitude);
  }
  return parameters;
}

class LoraTrainable : public Trainable {
 public:
  LoraTrainable(PeftAdapter peft, ModelTensors tensors, bool converts_pissa)
      : peft_(std::move(peft)),
        tensors_(tensors),
        converts_pissa_(converts_pissa),
        parameters_(parameters_of(*peft_.adapter)) {
    for (const SavedTensor& saved : peft_.saved) {
      saved.tensor->trained =
          std::make_unique<Parameter>(Parameter{peft_key(module_path(saved.tensor->name), "weight"), saved.value, {}});
      parameters_.push_back(saved.tensor->trained.get());
    }
    for (Parameter* parameter : parameters_) parameter->grad = Tensor::zeros(parameter->value.shape());
  }

  const std::vector<Parameter*>& parameters() const override { return parameters_; }
  const Adapter* adapter() const override { return peft_.adapter.get(); }

  void save(const std::filesystem::path& directory) const override {
    write_adapter(directory, peft_.config, *peft_.adapter, tensors_);
    if (!converts_pissa_ || !peft_.taken) return;
    const PeftAdapter plain = without_pissa(peft_);
    write_adapter(directory / "pissa_converted", plain.config, *plain.adapter, tensors_);
  }

  void load(const std::filesystem::path& directory) override {
    const PeftAdapter other = read_adapter(directory, tensors_);
    std::vector<Tensor> values;
    for (const Parameter* parameter : parameters_of(*other.adapter)) values.push_back(parameter->value);
    for (const SavedTensor& saved : other.saved) values.push_back(saved.value);
    if (values.size() != parameters_.size())
      throw failed_precondition("{}: has {} trained tensors, this job {}", directory.string(), values.size(),
                                parameters_.size());
    for (size_t i = 0; i < values.size(); ++i) {
      const Tensor& to = parameters_[i]->value;
      if (!(values[i].shape() == to.shape()))
        throw failed_precondition("{}: '{}' is {}, this job's {}", directory.string(), parameters_[i]->name,
                                  values[i].shape().to_string(), to.shape().to_string());
    }
    for (size_t i = 0; i < values.size(); ++i)
      std::copy_n(values[i].data(), values[i].size(), parameters_[i]->value.data());
  }

  std::string description() const override {
    const int64_t trained = num_values(parameters_), all = num_values(tensors_) + trained;
    const auto& parts = peft_.adapter->low_ranks;
    const auto count = std::count_if(parts.begin(), parts.end(), [](const auto& part) { return part != nullptr; });
    return fmt::format("LoRA, rank {}, on {} linear maps: {} of {} parameters are trained ({:.2f} %)",
                       peft_.config.rank, count, trained, all,
                       100.0 * static_cast<double>(trained) / static_cast<double>(all));
  }

 private:
  PeftAdapter peft_;
  ModelTensors tensors_;
  bool converts_pissa_;
  std::vector<Parameter*> parameters_;
};

PeftAdapter new_adapter(const TrainSpec& spec, const LoadedModel& loaded) {
  const LoraSpec& lora = spec.lora;
  const ModelTensors tensors = loaded.model->tensors();
  return make_adapter(
      {.base_model_name_or_path = spec.model_name_or_path,
       .rank = lora.rank,
       .alpha = static_cast<double>(lora.alpha > 0 ? lora.alpha : 2 * lora.rank),
       .dropout = lora.dropout,
       .target =
           loaded.pictures ? lora_targets(lora.target, spec.frozen, loaded.pictures->config(), tensors) : lora.target,
       .additional_target = lora.additional_target,
       .use_rslora = lora.use_rslora,
       .use_dora = lora.use_dora,
       .pissa_iterations = lora.pissa_init ? std::optional(lora.pissa_iter) : std::nullopt,
       .seed = static_cast<uint64_t>(spec.training.seed)},
      tensors);
}

}  // namespace

std::unique_ptr<Trainable> make_lora_trainable(const TrainSpec& spec, const LoadedModel& loaded) {
  const ModelTensors tensors = loaded.model->tensors();
  const std::vector<std::string>& names = spec.adapter_name_or_path;
  const bool makes_new = names.empty() || spec.lora.create_new_adapter;
  const ComputeDtype dtype = spec.training.bf16 ? ComputeDtype::kBFloat16 : ComputeDtype::kFloat32;
  for (size_t i = 0; i + (makes_new ? 0 : 1) < names.size(); ++i) {
    const PeftAdapter peft = read_adapter(names[i], tensors);
    if (!peft.saved.empty())
      throw invalid_argument("{}: has modules_to_save, which cannot be merged; train on it as the last adapter",
                             names[i]);
    merge_into(tensors, peft, dtype);
  }
  PeftAdapter peft = makes_new ? new_adapter(spec, loaded) : read_adapter(names.back(), tensors);
  if (peft.taken) merge_into(tensors, *peft.taken, dtype);
  const bool drops = spec.stage != Stage::kDpo && spec.stage != Stage::kKto;  // as TRL and LLaMA-Factory
  for (const std::unique_ptr<LowRank>& part : peft.adapter->low_ranks)
    if (part) part->dropout = drops ? spec.lora.dropout : 0;
  const std::string reference = reference_name(spec);
  if (!names.empty() || !reference.empty())
    peft.config.origin = {.stage = std::string(name_of(spec.stage)),
                          .start = fmt::format("{}", fmt::join(names, ", ")),
                          .reference = reference};
  return std::make_unique<LoraTrainable>(std::move(peft), tensors, spec.lora.pissa_convert);
}

}  // namespace hearth
