// parquet and arrow (IPC stream or file): through libhearth_arrow.so, a library of its own that is loaded when the
// first such file is opened, because Apache Arrow's libraries are large and optional. See arrow/arrow_module.h.
#pragma once

#include <filesystem>
#include <memory>

#include "finetune/datasets/rows.h"

namespace hearth {

// Throws kFailedPrecondition, with the remedy, where the library is not there.
std::unique_ptr<RowReader> open_arrow_rows(const std::filesystem::path& file, bool is_parquet);

// Whether it is there.
bool has_arrow_module();

}  // namespace hearth
