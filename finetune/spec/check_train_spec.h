// What must hold between the keys of a job, each of which is right by itself. Source: LLaMA-Factory 0.9.5,
// hparams/parser.py and the __post_init__ of its argument classes; transformers' TrainingArguments.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "finetune/spec/train_spec.h"

namespace hearth {

// Where the keys that are given stand.
struct KeyPlaces {
  std::string file;
  std::map<std::string, std::string, std::less<>> lines;

  bool has(std::string_view key) const { return lines.contains(key); }
  const std::string& of(std::string_view key) const;  // the file, for a key that is not given
};

// Throws kInvalidArgument.
void check_train_spec(const TrainSpec& spec, const KeyPlaces& places);

}  // namespace hearth
