// How a chat with a person is sampled where neither the person nor the checkpoint says: at OpenAI's temperature of 1 a
// small quantised model soon rambles. The API keeps OpenAI's defaults; hearth's own clients ask for these.
#pragma once

#include "models/loader.h"

namespace hearth {

// What the checkpoint suggests, and 0.7 and 0.05 for a temperature and a min_p that it does not.
inline GenerationDefaults chat_sampling(GenerationDefaults checkpoint) {
  constexpr float kTemperature = 0.7f, kMinP = 0.05f;
  if (!checkpoint.temperature) checkpoint.temperature = kTemperature;
  if (!checkpoint.min_p) checkpoint.min_p = kMinP;
  return checkpoint;
}

}  // namespace hearth
