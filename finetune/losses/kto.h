// The loss of stage kto (arXiv 2402.01306): of single answers, each said to be desirable or not. Source:
// LLaMA-Factory's train/kto/trainer.py over TRL's kto_loss.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "finetune/spec/train_spec.h"

namespace hearth {

struct FeedbackLogprobs {
  double policy = 0, reference = 0;  // sums over the answer's tokens
  int64_t tokens = 1;
  bool desirable = true;
};

struct KtoOutcome {
  double loss = 0;             // the mean over the batch
  std::vector<double> slopes;  // its derivatives by the policy's sums
  std::vector<double> rewards;
};

// `kl`: how far the policy has moved from the reference on answers to other prompts, at least 0; without a gradient.
// pref_ftx adds the mean of the desirable answers' means, times batch / number of them, as the reference rescales it.
KtoOutcome kto_loss(const PreferenceSpec& preference, std::span<const FeedbackLogprobs> answers, double kl);

}  // namespace hearth
