// csv with a header: commas, RFC 4180's quoting, any newline. Cells are text; an empty one without quotes is null, as
// are the cells that a short row lacks. (pandas, which reads csv for the reference, also turns columns of digits into
// numbers and words like None into nulls: texts to learn would be lost, so that is not done.) The parser is libcsv.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "finetune/datasets/rows.h"

namespace hearth {

// Throws kNotFound when it is not there, kDataCorruption for a header that cannot be read.
std::unique_ptr<RowReader> open_csv_rows(const std::filesystem::path& file);
// The same of bytes, which must outlive it; `name` is for messages.
std::unique_ptr<RowReader> open_csv_rows(std::string_view bytes, const std::string& name);

}  // namespace hearth
