// Examples one at a time, in memory bounded by buffer_size of them (`streaming: true`).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "finetune/datasets/convert.h"
#include "finetune/datasets/dataset_info.h"
#include "finetune/datasets/example.h"
#include "finetune/datasets/mix.h"
#include "finetune/spec/train_spec.h"

namespace hearth {

// Rows that were left out: all of them counted, the first ones named.
struct DroppedRows {
  int64_t count = 0;
  std::vector<std::string> first;  // "identity.json, row 12: ...", at most kNamed

  static constexpr size_t kNamed = 20;
  void add(const std::string& place, const std::string& reason);
};

class ExampleStream {
 public:
  virtual ~ExampleStream() = default;
  // From the beginning, in the order of this epoch (from 0), which is the same whenever it is begun.
  virtual void begin(int64_t epoch) = 0;
  // False at the end of the epoch. Throws BadExample.
  virtual bool next(Example& example) = 0;
  virtual const DroppedRows& dropped() const = 0;  // since begin
};

struct StreamOptions {
  Mix mix;
  int64_t buffer_size = 16384;
  std::filesystem::path media_dir;
  Stage stage = Stage::kSft;
  int64_t held_out = 0;  // the first examples of epoch 0, which are in no epoch
};

// Within a buffer of buffer_size examples the order is random: `datasets`' shuffle with this seed.
std::unique_ptr<ExampleStream> open_example_stream(std::vector<DatasetInfo> datasets, const StreamOptions& options);
// The examples that such a stream holds out. Rows that teach nothing count and are left out.
std::vector<Example> read_held_out(const std::vector<DatasetInfo>& datasets, const StreamOptions& options,
                                   bool generates, DroppedRows& dropped);

}  // namespace hearth
