// json and jsonl: an array of objects, an object a line, or objects one after the other. The ends of rows are found
// first (JsonExtent, which bounds depth, keys and length), then each is parsed by itself. A list of strings is a
// column `text`.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "finetune/datasets/rows.h"

namespace hearth {

// Throws kNotFound when it is not there.
std::unique_ptr<RowReader> open_json_rows(const std::filesystem::path& file);
// The same of bytes, which must outlive it; `name` is for messages.
std::unique_ptr<RowReader> open_json_rows(std::string_view bytes, const std::string& name);

}  // namespace hearth
