// A row of a file as an Example: the alpaca, sharegpt and openai formats of LLaMA-Factory's data/converter.py (without
// the "detailed thinking off" that it writes into the system text of every openai dataset), OpenAI's lines of
// preference fine-tuning, and TRL's dataset types.
#pragma once

#include <filesystem>
#include <string>

#include "finetune/datasets/dataset_info.h"
#include "finetune/datasets/example.h"
#include "finetune/datasets/rows.h"
#include "runtime/base/error.h"

namespace hearth {

// A row that does not hold what dataset_info.json says: the reference fails on these.
class BadExample : public Error {
 public:
  // `column` may be empty: the row as a whole.
  BadExample(const std::string& at, const std::string& in_column, const std::string& why)
      : Error(ErrorCode::kInvalidArgument, at + (in_column.empty() ? "" : ", column '" + in_column + "'") + ": " + why),
        place(at),
        column(in_column),
        reason(why) {}

  std::string place, column, reason;
};

struct Aligned {
  Example example;      // of a dropped row only its place
  std::string dropped;  // why nothing can be learnt from it: the reference warns and goes on; empty: something can
};

// Takes texts out of `row`. Media that lie below media_dir are named by their path there. Throws BadExample.
Aligned align(Row& row, const DatasetInfo& info, const std::filesystem::path& media_dir);

}  // namespace hearth
