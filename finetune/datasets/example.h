// One example as every dataset format is brought to: LLaMA-Factory's standard form (its data/converter.py).
#pragma once

#include <string>
#include <vector>

#include "templates/llamafactory/slot_template.h"

namespace hearth {

struct Example {
  std::vector<SlotMessage> prompt;    // user or observation first and last, an odd number of them
  std::vector<SlotMessage> response;  // 1; chosen and rejected: 2; nothing to learn from: 0
  std::vector<size_t> unlearnt;  // numbers of answers, 0 the first, that are there for their context alone (stage sft)
  std::string system;            // empty: the template's default
  std::string tools;             // a JSON array of function schemas; empty: none
  std::vector<std::string> images, videos, audios;  // paths
  std::string place;                                // "alpaca_en_demo.json, row 12", for messages
};

}  // namespace hearth
