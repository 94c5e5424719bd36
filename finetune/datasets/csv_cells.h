// The rows of a csv file as cells: commas, RFC 4180's quoting, any newline, a byte order mark at the beginning left
// out, blank lines too. Memory is bounded by the longest row. The parser is libcsv.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/file.h"

namespace hearth {

// A cell; nothing for an empty one without quotes.
using CsvCell = std::optional<std::string>;

class CsvCells {
 public:
  // Of `text`, which must outlive it. `file`: that it is mapped from, whose pages are given back; null: of none.
  explicit CsvCells(std::string_view text, std::shared_ptr<const MappedFile> file = nullptr);
  ~CsvCells();
  CsvCells(const CsvCells&) = delete;
  CsvCells& operator=(const CsvCells&) = delete;

  // The next row; false at the end, and where what follows is no csv: problem() then says why.
  bool next(std::vector<CsvCell>& cells);
  const std::string& problem() const;

 private:
  class Parser;
  std::string_view text_;
  std::shared_ptr<const MappedFile> file_;
  std::unique_ptr<Parser> parser_;
  size_t at_ = 0;
  bool finished_ = false;
};

}  // namespace hearth
