// What a job would train, page by page, for a reader: the examples of its datasets as `hearth preprocess` makes them,
// each by itself (packing puts them in a row afterwards).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "finetune/encoding/learnt_runs.h"
#include "finetune/spec/train_spec.h"
#include "models/loader.h"

namespace hearth {

// Of stages sft and pt one, of dpo and rm the chosen and the rejected answer behind the prompt, of kto the answer
// behind its prompt. (The KL answer of kto is another example's.)
struct PreviewPart {
  std::string role;  // "text", "chosen", "rejected", "kto_tag: true", "kto_tag: false"
  std::vector<LearntRun> runs;
  int64_t tokens = 0, learnt = 0;  // learnt: those with a label
};

struct PreviewExample {
  int64_t row = 0;         // from 0, over all datasets
  bool truncated = false;  // by cutoff_len
  std::vector<PreviewPart> parts;
};

struct Preview {
  std::vector<PreviewExample> examples;
  std::vector<std::string> dropped;  // "identity.json, row 3: why", of rows on this page
  std::vector<std::string> warnings;
  std::string source;  // which template wrote them; empty where there is no row
  bool has_more = false;
};

// `model` needs no weights. Throws as read_page_of_examples and encode_examples do.
Preview preview_examples(const LoadedModel& model, const TrainSpec& spec, int64_t offset, int64_t limit);

}  // namespace hearth
