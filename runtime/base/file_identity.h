// Whether files are still those that something was made of: by name, size and time of change, which is quick and tells
// apart what is replaced or trained again.
#pragma once

#include <filesystem>
#include <string>

#include "runtime/base/hash.h"

namespace hearth {

// Adds a file, or every file of a directory for which `counts` (null: all). What is not there adds its name.
void add_identity(const std::filesystem::path& path, Hash& hash,
                  bool (*counts)(const std::filesystem::path&) = nullptr);

}  // namespace hearth
