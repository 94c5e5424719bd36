// txt: a line is a row whose one column is `text`, empty lines too. Lines end with \n, \r\n or \r, as Python's
// universal newlines have it.
#pragma once

#include <filesystem>
#include <memory>

#include "finetune/datasets/rows.h"

namespace hearth {

// Throws kNotFound when it is not there.
std::unique_ptr<RowReader> open_text_rows(const std::filesystem::path& file);

}  // namespace hearth
