#include "finetune/objectives/objective.h"

#include <algorithm>

#include "finetune/objectives/objective_kinds.h"
#include "runtime/base/error.h"

namespace hearth {

std::vector<std::optional<double>> means_of(const Objective& objective, std::span<const MetricSum> sums) {
  std::vector<std::optional<double>> means(objective.metric_names().size());
  for (size_t m = 0; m < std::min(means.size(), sums.size()); ++m)
    if (sums[m].weight > 0) means[m] = sums[m].sum / sums[m].weight;
  objective.complete(means);
  return means;
}

std::unique_ptr<Objective> make_objective(const TrainSpec& spec, const LoadedModel& loaded, PictureFeatures& pictures,
                                          ValueHead* head) {
  const LanguageModel& model = *loaded.model;
  switch (spec.stage) {
    case Stage::kSft:
    case Stage::kPretraining:
      return make_next_tokens(model, spec.training.label_smoothing_factor);
    case Stage::kDpo:
      return make_preference_pairs(
          model, spec.preference,
          spec.preference.has_reference() ? std::make_unique<Reference>(spec, loaded, pictures) : nullptr);
    case Stage::kKto:
      return make_feedback(model, pictures, spec.preference, std::make_unique<Reference>(spec, loaded, pictures));
    case Stage::kRewardModel:
      HEARTH_CHECK(head);
      return make_reward_pairs(model, *head);
    case Stage::kPpo:
      break;
  }
  throw internal_error("this stage has no objective");
}

}  // namespace hearth
