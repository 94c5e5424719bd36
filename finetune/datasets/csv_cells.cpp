#include "finetune/datasets/csv_cells.h"

#include <deque>
#include <utility>

#include <csv.h>
#include <fmt/format.h>

#include "finetune/datasets/rows.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr size_t kChunk = size_t{64} << 10;

int no_space(unsigned char) { return 0; }  // spaces around a cell are part of it

}  // namespace

// libcsv's parser and the rows it has completed. Its callbacks come from C: they let nothing be thrown through it.
class CsvCells::Parser {
 public:
  using Cells = std::vector<CsvCell>;

  Parser() {
    if (csv_init(&parser_, CSV_EMPTY_IS_NULL) != 0) throw internal_error("libcsv: csv_init failed");
    csv_set_space_func(&parser_, no_space);
  }
  ~Parser() { csv_free(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

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
    auto& parser = *static_cast<Parser*>(self);
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
    auto& parser = *static_cast<Parser*>(self);
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

CsvCells::CsvCells(std::string_view text, std::shared_ptr<const MappedFile> file)
    : text_(text), file_(std::move(file)), parser_(std::make_unique<Parser>()) {
  if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
}
CsvCells::~CsvCells() = default;

const std::string& CsvCells::problem() const { return parser_->problem(); }

bool CsvCells::next(std::vector<CsvCell>& cells) {
  while (parser_->rows().empty()) {
    if (finished_ || !problem().empty()) return false;
    const std::string_view chunk = text_.substr(at_, kChunk);
    at_ += chunk.size();
    if (chunk.empty()) {
      parser_->finish();
      finished_ = true;
    } else {
      parser_->feed(chunk);
      if (file_) file_->release_pages(at_ - chunk.size(), chunk.size());
    }
  }
  cells = std::move(parser_->rows().front());
  parser_->rows().pop_front();
  return true;
}

}  // namespace hearth
