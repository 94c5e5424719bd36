// From the examples of a job to what the trainer learns from, equal to what LLaMA-Factory's processors make of them
// (data/processor/: supervised.py, pretrain.py, pairwise.py, feedback.py) to the id. Many threads, always the same
// result.
//
// Examples are packed, the texts of stage pt put in a row, and the KL answers of stage kto (each the answer of the
// example before it, the first one's the last) chosen in groups of 1000 as the reference maps them. cutoff_len
// is the job's own: with `packing: true` or neat_packing LLaMA-Factory uses one less, and so does this. In stage pt the
// beginning-of-text token takes the place of every block's first where the tokenizer puts one before a text, and
// padding tokens are not learnt, nor is the end of a text where it is the padding token too.
#pragma once

#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "finetune/datasets/example.h"
#include "finetune/encoding/tokenized_example.h"
#include "finetune/spec/train_spec.h"
#include "models/loader.h"

namespace hearth {

inline constexpr size_t kEncodingGroup = 1000;  // preprocessing_batch_size

struct DroppedExample {
  std::string place, reason;
};

struct EncodedData {
  std::vector<TokenizedExample> examples;
  std::vector<DroppedExample> dropped;  // in the order of the examples
  int64_t truncated = 0;                // examples that cutoff_len shortened
  std::string source;                   // which template wrote them, for logs
};

// cutoff_len as the reference uses it.
int effective_cutoff_len(const DataSpec& data);

// `model` needs no weights: tokenizer, templates and chat options. What a template cannot say of one example drops that
// example. Throws kInvalidArgument for a template, stage or cutoff_len that cannot be, `now` as TurnEncoder.
EncodedData encode_examples(const LoadedModel& model, std::span<const Example> examples, const DataSpec& data,
                            Stage stage, std::optional<std::time_t> now = {});

}  // namespace hearth
