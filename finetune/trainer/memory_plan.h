// How much memory a run will take, before its first step: measured on short examples of the model itself and carried
// over to the largest batch that the data can make. Where it does not fit, layers are computed again in the backward
// sweep instead of kept; where that does not fit either, the job is refused with what would.
#pragma once

#include <cstdint>
#include <string>

#include "finetune/objectives/picture_features.h"
#include "finetune/spec/train_spec.h"
#include "finetune/trainer/trainable.h"
#include "runtime/kept.h"
#include "runtime/language_model.h"

namespace hearth {

struct MemoryPlan {
  int64_t resident = 0;      // bytes of the process before the first step: weights, data
  int64_t optimizer = 0;     // gradients and moments
  int64_t step = 0;          // activations of the largest batch, at most
  int64_t pictures = 0;      // what is seen in them: kept from step to step, and on the tape of one
  int64_t available = 0;     // that this process may have, resident included
  int64_t batch_tokens = 0;  // of the largest batch
  int recomputed_layers = 0;

  int64_t peak() const { return resident + optimizer + step + pictures; }
  // "peak memory about 1.1 GiB: 0.4 model and data, 0.1 optimizer, 0.6 activations of 1,024 tokens; 17.2 GiB available"
  std::string describe() const;
};

// What a step keeps for its backward sweep.
KeptPrecision kept_precision(const TrainingSpec& training);

// Computes two short steps without an update, and what `pictured` shows (or null). Throws kResourceExhausted with
// remedies when nothing makes it fit. `available`: bytes; available_memory() where it is not known better.
MemoryPlan plan_memory(const TrainSpec& spec, const LanguageModel& model, Trainable& trainable, int64_t batch_tokens,
                       int64_t available, PictureFeatures& pictures, const TokenizedExample* pictured);

}  // namespace hearth
