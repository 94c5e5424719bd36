// JSON files from outside (config.json, an index of shards): bounded in bytes and depth; a file that is not JSON is an
// error in one line.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace hearth {

// Throws kDataCorruption naming `name` and the byte where it stops being JSON, or that it is nested deeper than 64.
nlohmann::json parse_json(std::string_view text, const std::string& name);

// Throws kNotFound, kResourceExhausted when the file is larger than max_bytes, or as parse_json.
nlohmann::json read_json_file(const std::filesystem::path& path, size_t max_bytes = size_t{16} << 20);

}  // namespace hearth
