// The examples of a job's datasets as they lie in their files, a page at a time and without reading more rows than
// that: one dataset behind the other, the first max_samples of each. What a run does besides (num_samples, mixing,
// holding out) changes which examples a step sees and not what they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "finetune/datasets/example.h"
#include "finetune/spec/train_spec.h"

namespace hearth {

struct ExamplePage {
  struct Entry {
    int64_t row;  // from 0, over all datasets
    Example example;
    std::string dropped;  // why nothing can be learnt from it; empty: something can
  };
  std::vector<Entry> entries;
  bool has_more = false;
  std::vector<std::string> warnings;  // columns that the first rows lack
};

// Of the training datasets; of those to evaluate with where there are no others. Throws as load_examples does, but
// finds only what is wrong up to the page's end.
ExamplePage read_page_of_examples(const DataSpec& spec, Stage stage, int64_t offset, int64_t limit);

}  // namespace hearth
