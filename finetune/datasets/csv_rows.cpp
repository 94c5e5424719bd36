#include "finetune/datasets/csv_rows.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include <csv.h>
#include <fmt/format.h>

#include "finetune/datasets/utf8.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

constexpr size_t kChunk = size_t{64} << 10;
constexpr size_t kMaxColumns = 1000;

// A cell; nothing for an empty one without quotes.
using Cell = std::optional<std::string>;
using Cells = std::vector<Cell>;

int no_space(unsigned char) { return 0; }  // spaces around a cell are part of it

// libcsv's parser and the rows it has completed. Its callbacks come from C: they let nothing be thrown through it.
class CsvParser {
 public:
  CsvParser() {
    if (csv_init(&parser_, CSV_EMPTY_IS_NULL) != 0) throw internal_error("libcsv: csv_init failed");
    csv_set_space_func(&parser_, no_space);
  }
  ~CsvParser() { csv_free(&parser_); }
  CsvParser(const CsvParser&) = delete;
  CsvParser& operator=(const CsvParser&) = delete;

  void feed(std::string_view text) {
    csv_parse(&parser_, text.data(), text.size(), add_cell, end_row, this);
    check();
    if (csv_get_buffer_size(&parser_) > kMaxRowBytes)
      problem_ = fmt::format("a cell is longer than {} MiB: a quote without its end?", kMaxRowBytes >> 20);
  }
  void finish() {
    // Only now strict: a quote within a cell is a quote, one without an end is an error.
    csv_set_opts(&parser_, CSV_EMPTY_IS_NULL | CSV_STRICT | CSV_STRICT_FINI);
    if (csv_fini(&parser_, add_cell, end_row, this) != 0) problem_ = "a quoted cell has no end";
    check();
  }

  std::deque<Cells>& rows() { return rows_; }
  const std::string& problem() const { return problem_; }  // of what follows rows(); there is nothing more

 private:
  static void add_cell(void* text, size_t size, void* self) noexcept {
    auto& parser = *static_cast<CsvParser*>(self);
    try {
      if (!text)
        parser.row_.emplace_back();
      else
        parser.row_.emplace_back(std::in_place, static_cast<const char*>(text), size);
    } catch (...) {
      parser.failed_ = true;
    }
  }
  static void end_row(int, void* self) noexcept {
    auto& parser = *static_cast<CsvParser*>(self);
    try {
      parser.rows_.push_back(std::exchange(parser.row_, {}));
    } catch (...) {
      parser.failed_ = true;
    }
  }
  void check() {
    if (failed_ || csv_error(&parser_) == CSV_ENOMEM) throw make_error(ErrorCode::kResourceExhausted, "out of memory");
  }

  csv_parser parser_{};
  Cells row_;
  std::deque<Cells> rows_;
  std::string problem_;
  bool failed_ = false;
};

class CsvRows : public RowReader {
 public:
  CsvRows(std::shared_ptr<const MappedFile> file, std::string_view text, std::string name)
      : file_(std::move(file)), text_(text), name_(std::move(name)) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    Cells cells;
    if (!next_cells(cells)) {
      if (parser_.problem().empty())
        throw data_corruption("{}: an empty file; the first line names the columns", name_);
      throw data_corruption("{}: the header cannot be read: {}", name_, parser_.problem());
    }
    if (cells.size() > kMaxColumns) throw data_corruption("{}: the header has {} columns", name_, cells.size());
    std::set<std::string> seen;
    for (const Cell& cell : cells) {
      columns_.push_back(cell.value_or(fmt::format("Unnamed: {}", columns_.size())));
      if (!is_utf8(columns_.back())) throw data_corruption("{}: the header is not UTF-8", name_);
      if (!seen.insert(columns_.back()).second)
        throw data_corruption("{}: two columns are named '{}'", name_, columns_.back());
    }
  }

  bool next(Row& row) override {
    Cells cells;
    const bool found = next_cells(cells);
    if (!found && (parser_.problem().empty() || std::exchange(told_, true))) return false;
    row.place = fmt::format("{}, row {}", name_, ++number_);
    row.value = nlohmann::ordered_json::object();
    row.problem = found ? fill(cells, row.value) : parser_.problem();
    return true;
  }

 private:
  // -> what is wrong with them
  std::string fill(Cells& cells, nlohmann::ordered_json& value) const {
    if (cells.size() > columns_.size())
      return fmt::format("{} cells, but the header has {}: is a text with commas not quoted?", cells.size(),
                         columns_.size());
    for (size_t i = 0; i < columns_.size(); ++i) {
      nlohmann::ordered_json cell;
      if (i < cells.size() && cells[i]) {
        if (!is_utf8(*cells[i])) return fmt::format("column '{}' is not UTF-8", columns_[i]);
        cell = std::move(*cells[i]);
      }
      value.emplace(columns_[i], std::move(cell));
    }
    return "";
  }

  bool next_cells(Cells& cells) {
    while (parser_.rows().empty()) {
      if (finished_ || !parser_.problem().empty()) return false;
      const std::string_view chunk = text_.substr(at_, kChunk);
      at_ += chunk.size();
      if (chunk.empty()) {
        parser_.finish();
        finished_ = true;
      } else {
        parser_.feed(chunk);
        if (file_) file_->release_pages(at_ - chunk.size(), chunk.size());
      }
    }
    cells = std::move(parser_.rows().front());
    parser_.rows().pop_front();
    return true;
  }

  std::shared_ptr<const MappedFile> file_;
  std::string_view text_;
  std::string name_;
  size_t at_ = 0;
  CsvParser parser_;
  std::vector<std::string> columns_;
  int64_t number_ = 0;
  bool finished_ = false, told_ = false;
};

}  // namespace

std::unique_ptr<RowReader> open_csv_rows(const std::filesystem::path& file) {
  std::shared_ptr<const MappedFile> mapped = MappedFile::open(file);
  const std::string_view text(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size());
  return std::make_unique<CsvRows>(std::move(mapped), text, file.filename().string());
}

std::unique_ptr<RowReader> open_csv_rows(std::string_view bytes, const std::string& name) {
  return std::make_unique<CsvRows>(nullptr, bytes, name);
}

}  // namespace hearth
