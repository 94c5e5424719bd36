// LLaMA-Factory's YAML keys, as far as they concern inference: which hearth uses, which say nothing on a CPU, which
// belong to training, and which would change the answers in a way that hearth cannot yet do. Source: LLaMA-Factory
// 0.9.6, hparams/{model,data,finetuning,generating}_args.py.
#pragma once

#include <string_view>
#include <vector>

namespace hearth {

enum class KeyUse {
  kUsed,         // load_inference_config reads it
  kNoEffect,     // of training, evaluation or export, or a choice that every backend makes alike: accepted
  kHardware,     // of GPUs or of another engine: accepted with a warning
  kUnsupported,  // would change the answers: an error unless its value is neutral
};

struct InferenceKey {
  std::string_view name;
  KeyUse use;
  std::string_view neutral = "";  // kUnsupported: values that ask for nothing, comma-separated; null always does
  std::string_view remedy = "";
};

const InferenceKey* find_inference_key(std::string_view name);
std::vector<std::string_view> inference_key_names();

}  // namespace hearth
