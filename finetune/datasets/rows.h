// The rows of a dataset's files as JSON objects, one after the other: memory is bounded by the longest row, whatever
// the size of the file. Everything in the files is untrusted. Source: what Hugging Face's `datasets` reads of json,
// jsonl, csv, txt, parquet and arrow files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace hearth {

enum class FileType { kJson, kCsv, kText, kParquet, kArrow };

inline constexpr std::string_view kDataExtensions = ".json, .jsonl, .csv, .txt, .parquet or .arrow";

// Nothing for a name with another extension.
std::optional<FileType> file_type(const std::filesystem::path& path);

struct Row {
  nlohmann::ordered_json value;  // an object, where there is no problem
  std::string place;             // "identity.json, row 12"; rows count from 1 in each file
  std::string problem;           // why it cannot be read, with line and byte; empty: it can
};

class RowReader {
 public:
  virtual ~RowReader() = default;
  // False at the end. After a row with a problem it goes on with the next row, where one can be found.
  virtual bool next(Row& row) = 0;
};

// Of one file, or of several one after the other. Throws kNotFound for a file that is not there, kDataCorruption for
// one that is not what its name says, kFailedPrecondition for parquet and arrow in a build without their library.
std::unique_ptr<RowReader> open_rows(const std::filesystem::path& file);
std::unique_ptr<RowReader> open_rows(std::vector<std::filesystem::path> files);

// A row above this is refused: no conversation is so long.
inline constexpr size_t kMaxRowBytes = size_t{64} << 20;

}  // namespace hearth
