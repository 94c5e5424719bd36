// The examples that a job trains on and is evaluated with: datasets read, taken from, mixed and split exactly as
// LLaMA-Factory does it (data/loader.py, data/data_utils.py), so that the same seed holds out the same rows. Rows that
// teach nothing keep their place until then and are left out, and counted, afterwards.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "finetune/datasets/convert.h"
#include "finetune/datasets/example_stream.h"
#include "finetune/spec/train_spec.h"

namespace hearth {

struct NamedExamples {
  std::string name;  // of its dataset with eval_on_each_dataset (eval_<name>_loss), else empty
  std::vector<Example> examples;
};

struct DataOptions {
  Stage stage = Stage::kSft;
  int64_t seed = 42;            // TrainingSpec::seed
  bool eval_generates = false;  // predict_with_generate: examples to evaluate need no response
};

struct ExampleSets {
  std::vector<Example> train;
  std::unique_ptr<ExampleStream> stream;  // instead of `train` with streaming
  std::vector<NamedExamples> eval;
  DroppedRows dropped;  // of train and eval; those of the stream are told by it
};

// Throws BadExample at the first row that does not hold what dataset_info.json says, kInvalidArgument where datasets
// and job do not fit together or nothing is left to learn from.
ExampleSets load_examples(const DataSpec& spec, const DataOptions& options);

// Throws kInvalidArgument for a pair of rankings and another stage than reward modelling and dpo, and the other way
// round; and for a dataset without tags in stage kto.
void check_stage(const DatasetInfo& info, Stage stage);
// Throws kInvalidArgument where a column that the formatting reads is in no row.
void check_columns(const DatasetInfo& info);
// The same of the first rows: what they lack is thrown where there are no others, else told.
std::string check_first_columns(const DatasetInfo& info, int64_t rows);
// Why a trainer of this stage leaves an aligned example out; empty: it does not.
std::string unusable(const Example& example, Stage stage, bool generates);

}  // namespace hearth
