// Examples as do_predict asks them: the prompt to generate from, and the answer to compare with. Source:
// LLaMA-Factory's UnsupervisedDatasetProcessor (data/processor/unsupervised.py), equal to the id.
#pragma once

#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "finetune/datasets/example.h"
#include "finetune/encoding/encode_examples.h"
#include "finetune/encoding/encoded_text.h"
#include "finetune/spec/train_spec.h"
#include "models/loader.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

struct EncodedPrompt {
  EncodedText prompt;
  std::vector<TokenId> response;  // together at most cutoff_len, as infer_seqlen shares it
  std::string place;
};

struct EncodedPrompts {
  std::vector<EncodedPrompt> prompts;
  std::vector<DroppedExample> dropped;  // in the order of the examples
  int64_t truncated = 0;                // prompts that cutoff_len shortened
  std::string source;                   // which template wrote them, for logs
};

// An example without a response, or with two, has an empty one. `model` and `now` as encode_examples; throws as it
// does.
EncodedPrompts encode_prompts(const LoadedModel& model, std::span<const Example> examples, const DataSpec& data,
                              std::optional<std::time_t> now = {});

}  // namespace hearth
