#include "finetune/datasets/csv_rows.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "finetune/datasets/csv_cells.h"
#include "finetune/datasets/utf8.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

constexpr size_t kMaxColumns = 1000;

class CsvRows : public RowReader {
 public:
  CsvRows(std::shared_ptr<const MappedFile> file, std::string_view text, std::string name)
      : cells_(text, std::move(file)), name_(std::move(name)) {
    std::vector<CsvCell> cells;
    if (!cells_.next(cells)) {
      if (cells_.problem().empty()) throw data_corruption("{}: an empty file; the first line names the columns", name_);
      throw data_corruption("{}: the header cannot be read: {}", name_, cells_.problem());
    }
    if (cells.size() > kMaxColumns) throw data_corruption("{}: the header has {} columns", name_, cells.size());
    std::set<std::string> seen;
    for (const CsvCell& cell : cells) {
      columns_.push_back(cell.value_or(fmt::format("Unnamed: {}", columns_.size())));
      if (!is_utf8(columns_.back())) throw data_corruption("{}: the header is not UTF-8", name_);
      if (!seen.insert(columns_.back()).second)
        throw data_corruption("{}: two columns are named '{}'", name_, columns_.back());
    }
  }

  bool next(Row& row) override {
    std::vector<CsvCell> cells;
    const bool found = cells_.next(cells);
    if (!found && (cells_.problem().empty() || std::exchange(told_, true))) return false;
    row.place = fmt::format("{}, row {}", name_, ++number_);
    row.value = nlohmann::ordered_json::object();
    row.problem = found ? fill(cells, row.value) : cells_.problem();
    return true;
  }

 private:
  // -> what is wrong with them
  std::string fill(std::vector<CsvCell>& cells, nlohmann::ordered_json& value) const {
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

  CsvCells cells_;
  std::string name_;
  std::vector<std::string> columns_;
  int64_t number_ = 0;
  bool told_ = false;
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
