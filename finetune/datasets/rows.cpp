#include "finetune/datasets/rows.h"

#include <array>
#include <utility>

#include "finetune/datasets/arrow_rows.h"
#include "finetune/datasets/csv_rows.h"
#include "finetune/datasets/json_rows.h"
#include "finetune/datasets/text_rows.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

class RowsOfFiles : public RowReader {
 public:
  explicit RowsOfFiles(std::vector<std::filesystem::path> files) : files_(std::move(files)) {}

  bool next(Row& row) override {
    for (;;) {
      if (reader_ && reader_->next(row)) return true;
      if (next_file_ == files_.size()) return false;
      reader_.reset();  // before the next one is mapped
      reader_ = open_rows(files_[next_file_++]);
    }
  }

 private:
  std::vector<std::filesystem::path> files_;
  size_t next_file_ = 0;
  std::unique_ptr<RowReader> reader_;
};

}  // namespace

std::optional<FileType> file_type(const std::filesystem::path& path) {
  constexpr std::array<std::pair<std::string_view, FileType>, 6> kTypes = {{{".json", FileType::kJson},
                                                                            {".jsonl", FileType::kJson},
                                                                            {".csv", FileType::kCsv},
                                                                            {".txt", FileType::kText},
                                                                            {".parquet", FileType::kParquet},
                                                                            {".arrow", FileType::kArrow}}};
  const std::string extension = path.extension().string();
  for (const auto& [name, type] : kTypes)
    if (extension == name) return type;
  return std::nullopt;
}

std::unique_ptr<RowReader> open_rows(const std::filesystem::path& file) {
  const std::optional<FileType> type = file_type(file);
  if (!type) throw invalid_argument("{}: the name of a data file must end in {}", file.string(), kDataExtensions);
  switch (*type) {
    case FileType::kJson:
      return open_json_rows(file);
    case FileType::kCsv:
      return open_csv_rows(file);
    case FileType::kText:
      return open_text_rows(file);
    case FileType::kParquet:
    case FileType::kArrow:
      break;
  }
  return open_arrow_rows(file, *type == FileType::kParquet);
}

std::unique_ptr<RowReader> open_rows(std::vector<std::filesystem::path> files) {
  return std::make_unique<RowsOfFiles>(std::move(files));
}

}  // namespace hearth
