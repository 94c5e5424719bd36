#include "finetune/datasets/first_examples.h"

#include <memory>
#include <utility>

#include "finetune/datasets/convert.h"
#include "finetune/datasets/dataset_info.h"
#include "finetune/datasets/load_examples.h"
#include "finetune/datasets/rows.h"

namespace hearth {
namespace {

constexpr int64_t kRowsWithColumns = 1000;

// The datasets' rows one behind the other.
class Rows {
 public:
  Rows(std::vector<DatasetInfo> datasets, const DataSpec& spec) : datasets_(std::move(datasets)), spec_(spec) {}

  // Of the dataset `info`.
  bool next(Row& row, const DatasetInfo*& info) {
    for (; at_ < datasets_.size(); ++at_, reader_.reset()) {
      info = &datasets_[at_];
      if (!reader_) {
        reader_ = open_rows(info->files);
        read_ = 0;
      }
      if ((!spec_.max_samples || read_ < *spec_.max_samples) && reader_->next(row)) {
        ++read_;
        return true;
      }
    }
    return false;
  }

 private:
  std::vector<DatasetInfo> datasets_;
  const DataSpec& spec_;
  size_t at_ = 0;
  int64_t read_ = 0;  // of the dataset at_
  std::unique_ptr<RowReader> reader_;
};

}  // namespace

ExamplePage read_page_of_examples(const DataSpec& spec, Stage stage, int64_t offset, int64_t limit) {
  ExamplePage page;
  std::vector<DatasetInfo> datasets =
      read_dataset_info(spec.dataset_dir, spec.dataset.empty() ? spec.eval_dataset : spec.dataset);
  for (const DatasetInfo& info : datasets) {
    check_stage(info, stage);
    if (std::string lacking = check_first_columns(info, kRowsWithColumns); !lacking.empty())
      page.warnings.push_back(std::move(lacking));
  }
  const std::filesystem::path& media_dir = spec.media_dir.empty() ? spec.dataset_dir : spec.media_dir;
  Rows rows(std::move(datasets), spec);
  Row row;
  const DatasetInfo* info = nullptr;
  for (int64_t i = 0; rows.next(row, info); ++i) {
    if (i < offset) continue;
    if (i >= offset + limit) {
      page.has_more = true;
      break;
    }
    Aligned aligned = align(row, *info, media_dir);
    if (aligned.dropped.empty()) aligned.dropped = unusable(aligned.example, stage, /*generates=*/false);
    page.entries.push_back({i, std::move(aligned.example), std::move(aligned.dropped)});
  }
  return page;
}

}  // namespace hearth
