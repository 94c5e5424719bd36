// Every row of a dataset held against its entry in dataset_info.json, before a model is loaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "finetune/datasets/convert.h"
#include "finetune/spec/train_spec.h"

namespace hearth {

// What was found, as it is found.
class DataReporter {
 public:
  virtual ~DataReporter() = default;
  virtual void bad(const BadExample& example) = 0;                                // training would stop there
  virtual void dropped(const std::string& place, const std::string& reason) = 0;  // training would leave it out
};

struct DataCounts {
  int64_t rows = 0, used = 0, dropped = 0, bad = 0;
  int64_t with_tools = 0, with_system = 0, with_media = 0;  // of those used
  int64_t turns = 0;                                        // pairs of messages of those used
};

// The stage that a dataset is for, as its entry shows it: dpo with ranking, kto with a kto_tag, else sft; pt without a
// response.
Stage stage_of(const DatasetInfo& info);

// Reads up to max_rows rows. Throws as check_stage does.
DataCounts check_dataset(const DatasetInfo& info, const std::filesystem::path& media_dir, Stage stage,
                         std::optional<int64_t> max_rows, DataReporter& reporter);

}  // namespace hearth
