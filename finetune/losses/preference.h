// Losses of preference training: of a batch of pairs of a chosen and a rejected answer to one prompt, as functions of
// the log-probabilities that the policy and a reference give to them. Sources: TRL's DPOTrainer; LLaMA-Factory's
// train/dpo/trainer.py for orpo, simpo, pref_ftx, pref_bco_weight and ld_alpha; TRL 0.8.6 for kto_pair.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "finetune/spec/train_spec.h"

namespace hearth {

// Of one answer.
struct AnswerLogprobs {
  double policy = 0;           // the sum over its tokens, those beyond the other answer's length times ld_alpha
  double whole = 0;            // the sum with all of them in full
  double reference = 0;        // likewise in full, as LLaMA-Factory's (TRL's has ld_alpha here too)
  int64_t tokens = 1;          // at least 1
  double mean_confidence = 0;  // of use_weighting: the mean of log p - log(the sum of the vocabulary's p^2)
};
struct PairLogprobs {
  AnswerLogprobs chosen, rejected;
};

struct AnswerOutcome {
  double slope = 0, whole_slope = 0;  // the loss's derivatives by `policy` and by `whole`
  double reward = 0;
  double logps = 0;  // what is logged: the policy's sum; of orpo and simpo the mean, of which the reward is made too
};
struct PairOutcome {
  AnswerOutcome chosen, rejected;
};
struct PreferenceOutcome {
  double loss = 0;
  std::vector<PairOutcome> pairs;
  std::vector<double> parts = {};  // by loss_part_names
};

// What else is logged of a loss: of orpo what it consists of, of several each by itself.
std::vector<std::string> loss_part_names(const PreferenceSpec& preference);

// Means over the pairs. `baseline` is pref_bco_weight's.
PreferenceOutcome preference_loss(const PreferenceSpec& preference, std::span<const PairLogprobs> pairs,
                                  double baseline = 0);

// The mean reward of all answers of a batch, of which the running baseline is made.
double mean_reward(const PreferenceSpec& preference, std::span<const PairLogprobs> pairs);

}  // namespace hearth
