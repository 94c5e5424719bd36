#include "finetune/datasets/data_check.h"

#include "finetune/datasets/load_examples.h"
#include "finetune/datasets/rows.h"

namespace hearth {

Stage stage_of(const DatasetInfo& info) {
  if (info.ranking) return Stage::kDpo;
  if (!info.columns.kto_tag.empty()) return Stage::kKto;
  const bool no_response = info.formatting == Formatting::kAlpaca && info.columns.response.empty();
  return no_response ? Stage::kPretraining : Stage::kSft;
}

DataCounts check_dataset(const DatasetInfo& info, const std::filesystem::path& media_dir, Stage stage,
                         std::optional<int64_t> max_rows, DataReporter& reporter) {
  check_stage(info, stage);
  DataCounts counts;
  const std::unique_ptr<RowReader> reader = open_rows(info.files);
  Row row;
  while ((!max_rows || counts.rows < *max_rows) && reader->next(row)) {
    ++counts.rows;
    try {
      Aligned aligned = align(row, info, media_dir);
      const Example& example = aligned.example;
      if (aligned.dropped.empty()) aligned.dropped = unusable(example, stage, /*generates=*/false);
      if (!aligned.dropped.empty()) {
        ++counts.dropped;
        reporter.dropped(example.place, aligned.dropped);
        continue;
      }
      ++counts.used;
      counts.with_tools += !example.tools.empty();
      counts.with_system += !example.system.empty();
      counts.with_media += !example.images.empty() || !example.videos.empty() || !example.audios.empty();
      counts.turns += static_cast<int64_t>(example.prompt.size() + 1) / 2;
    } catch (const BadExample& bad) {
      ++counts.bad;
      reporter.bad(bad);
    }
  }
  return counts;
}

}  // namespace hearth
