// What dataset_info.json has to say of a file, told from its first rows: for uploads, whose owners need not know the
// formats' names. Plain LLaMA-Factory (alpaca, sharegpt, openai) where it can read the rows, else hearth's own
// openai_chat and trl. What cannot be told is refused, never guessed.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "finetune/datasets/rows.h"

namespace hearth {

inline constexpr int64_t kRowsOfFormat = 10'000;  // that are looked at

// The entry without file_name: formatting, ranking, columns, tags as far as they differ from the defaults. Rows that
// cannot be read are passed over. Throws kInvalidArgument with the keys that were found and with what is known.
nlohmann::ordered_json find_format(RowReader& rows);

}  // namespace hearth
