// Losses of preference training, of pairs of a chosen and a rejected answer to one prompt: functions of the
// log-probabilities that the policy and a reference give both. Sources: TRL's DPOTrainer; LLaMA-Factory's
// train/dpo/trainer.py for orpo, simpo and pref_ftx.
#pragma once

#include <cstdint>

#include "finetune/spec/train_spec.h"

namespace hearth {

// Of one answer: the sums of the log-probabilities of its tokens.
struct AnswerLogprobs {
  double policy = 0, reference = 0;
  int64_t tokens = 1;  // at least 1
};

struct PairLoss {
  double loss = 0;
  double dchosen = 0, drejected = 0;  // the loss's derivatives by the policy's sums
  double chosen_reward = 0, rejected_reward = 0;
  // What is logged as logps: the policy's sums; of orpo and simpo the means, of which the rewards are made too.
  double chosen_logps = 0, rejected_logps = 0;
};

PairLoss preference_loss(const PreferenceSpec& preference, const AnswerLogprobs& chosen,
                         const AnswerLogprobs& rejected);

}  // namespace hearth
