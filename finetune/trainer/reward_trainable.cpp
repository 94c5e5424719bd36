#include "finetune/trainer/reward_trainable.h"

#include <algorithm>
#include <utility>

#include "models/adapters/value_head.h"
#include "models/resolver.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

class RewardTrainable : public Trainable {
 public:
  RewardTrainable(std::unique_ptr<Trainable> model, ValueHead head, const LanguageModel& language_model)
      : model_(std::move(model)),
        head_(std::move(head)),
        language_model_(language_model),
        parameters_(model_->parameters()) {
    for (Parameter* parameter : {&head_.weight, &head_.bias}) {
      parameter->grad = Tensor::zeros(parameter->value.shape());
      parameters_.push_back(parameter);
    }
  }

  const std::vector<Parameter*>& parameters() const override { return parameters_; }
  const Adapter* adapter() const override { return model_->adapter(); }
  ValueHead* value_head() override { return &head_; }

  void save(const fs::path& directory) const override {
    model_->save(directory);
    write_value_head(directory, head_);
  }

  void load(const fs::path& directory) override {
    const ValueHead saved = read_value_head(directory, language_model_);
    model_->load(directory);
    std::copy_n(saved.weight.value.data(), saved.weight.value.size(), head_.weight.value.data());
    std::copy_n(saved.bias.value.data(), saved.bias.value.size(), head_.bias.value.data());
  }

  std::string description() const override { return model_->description() + ", and a value head"; }

 private:
  std::unique_ptr<Trainable> model_;
  ValueHead head_;
  const LanguageModel& language_model_;
  std::vector<Parameter*> parameters_;
};

}  // namespace

std::unique_ptr<Trainable> make_reward_trainable(std::unique_ptr<Trainable> model, const TrainSpec& spec,
                                                 const LanguageModel& language_model) {
  const std::vector<fs::path> adapters(spec.adapter_name_or_path.begin(), spec.adapter_name_or_path.end());
  const fs::path model_path = resolve_model(spec.model_name_or_path);
  const fs::path& start = value_head_place(model_path, adapters);
  ValueHead head = has_value_head(start) ? read_value_head(start, language_model)
                                         : new_value_head(language_model, static_cast<uint64_t>(spec.training.seed));
  return std::make_unique<RewardTrainable>(std::move(model), std::move(head), language_model);
}

}  // namespace hearth
