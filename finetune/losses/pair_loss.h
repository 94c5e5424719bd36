// The formulas of losses of a single pair, and what they share with those of whole batches. Sources: TRL's DPOTrainer;
// LLaMA-Factory's train/dpo/trainer.py for orpo, simpo and the baseline of bco.
#pragma once

#include "finetune/spec/train_spec.h"

namespace hearth {

double sigmoid(double x);
double log_sigmoid(double x);

// A loss and its derivatives by the chosen and the rejected answer's argument.
struct PairValue {
  double loss, dchosen, drejected;
};

// The arguments are log ratios to the reference, or the scores made of them (is_of_scores), or log-probabilities where
// there is no reference; sums, or means where the loss takes them (preference.cpp). Throws kInternal for a loss of
// whole batches.
PairValue pair_loss(PreferenceLoss loss, const PreferenceSpec& preference, double chosen, double rejected);
PairValue bco_pair(double beta, double chosen, double rejected, double baseline);
PairValue smoothed_sigmoid(double beta, double difference, double smoothing);

struct Score {
  double value, slope;  // the derivative by the ratio
};
Score divergence_score(const PreferenceSpec& preference, double ratio);

}  // namespace hearth
