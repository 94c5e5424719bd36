#include "finetune/datasets/load_examples.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "finetune/datasets/mix.h"
#include "finetune/datasets/numpy_random.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

constexpr double kLeastValSize = 1e-6;

std::string_view name_of(Stage stage) {
  switch (stage) {
    case Stage::kSft:
      return "sft";
    case Stage::kPretraining:
      return "pt";
    case Stage::kRewardModel:
      return "rm";
    case Stage::kPpo:
      return "ppo";
    case Stage::kDpo:
      return "dpo";
    case Stage::kKto:
      break;
  }
  return "kto";
}

class Loader {
 public:
  Loader(const DataSpec& spec, const DataOptions& options)
      : spec_(spec), options_(options), random_(static_cast<uint32_t>(options.seed)) {}

  ExampleSets load() {
    ExampleSets sets;
    std::vector<DatasetInfo> train = infos_of(spec_.dataset);
    std::vector<DatasetInfo> eval = infos_of(spec_.eval_dataset);
    if (!eval.empty() && spec_.val_size > kLeastValSize)
      throw invalid_argument("val_size and eval_dataset are both given: rows are held out, or datasets are");
    std::vector<Aligned> rows;
    if (spec_.streaming)
      open_stream(std::move(train), sets);
    else
      rows = merged(train);
    load_eval(eval, sets);
    if (!rows.empty()) split(std::move(rows), sets);
    return sets;
  }

 private:
  std::vector<DatasetInfo> infos_of(const std::vector<std::string>& names) const {
    std::vector<DatasetInfo> infos = read_dataset_info(spec_.dataset_dir, names);
    for (const DatasetInfo& info : infos) {
      check_stage(info, options_.stage);
      check_columns(info);
    }
    return infos;
  }

  std::filesystem::path media_dir() const { return spec_.media_dir.empty() ? spec_.dataset_dir : spec_.media_dir; }
  Mix mix() const { return {spec_.mix_strategy, spec_.interleave_probs, static_cast<uint64_t>(options_.seed)}; }

  std::vector<Aligned> load_one(const DatasetInfo& info) {
    if (info.num_samples) return load_samples(info, *info.num_samples);
    std::vector<Aligned> out;
    const std::unique_ptr<RowReader> reader = open_rows(info.files);
    Row row;
    while ((!spec_.max_samples || static_cast<int64_t>(out.size()) < *spec_.max_samples) && reader->next(row))
      out.push_back(align(row, info, media_dir()));
    return out;
  }

  // num_samples: a permutation's beginning; what is missing is drawn again. Rows that are not taken are not looked at.
  std::vector<Aligned> load_samples(const DatasetInfo& info, int64_t wanted) {
    int64_t count = 0;
    Row row;
    for (const std::unique_ptr<RowReader> reader = open_rows(info.files); reader->next(row);) ++count;
    std::vector<int64_t> indices = random_.permutation(count);
    if (wanted < count) indices.resize(static_cast<size_t>(wanted));
    while (static_cast<int64_t>(indices.size()) < wanted) indices.push_back(random_.below(count));
    if (spec_.max_samples && *spec_.max_samples < wanted) indices.resize(static_cast<size_t>(*spec_.max_samples));
    const std::set<int64_t> taken(indices.begin(), indices.end());
    std::unordered_map<int64_t, Aligned> aligned;
    int64_t at = 0;
    for (const std::unique_ptr<RowReader> reader = open_rows(info.files); reader->next(row); ++at)
      if (taken.contains(at)) aligned.emplace(at, align(row, info, media_dir()));
    std::vector<Aligned> out;
    out.reserve(indices.size());
    for (const int64_t index : indices) out.push_back(aligned.at(index));
    return out;
  }

  std::vector<Aligned> merged(const std::vector<DatasetInfo>& infos) {
    std::vector<std::vector<Aligned>> datasets;
    std::vector<int64_t> lengths;
    for (const DatasetInfo& info : infos) {
      datasets.push_back(load_one(info));
      lengths.push_back(static_cast<int64_t>(datasets.back().size()));
    }
    if (datasets.size() == 1) return std::move(datasets.front());
    std::vector<Aligned> out;
    const bool repeats = spec_.mix_strategy == MixStrategy::kInterleaveOver;
    for (const auto& [dataset, row] : mix_rows(lengths, mix())) {
      Aligned& aligned = datasets[dataset][static_cast<size_t>(row)];
      if (repeats)
        out.push_back(aligned);
      else
        out.push_back(std::move(aligned));
    }
    return out;
  }

  std::vector<Example> usable(std::vector<Aligned> rows, bool generates, ExampleSets& sets) const {
    std::vector<Example> out;
    const size_t count = rows.size();
    for (Aligned& row : rows) {
      if (row.dropped.empty()) row.dropped = unusable(row.example, options_.stage, generates);
      if (row.dropped.empty())
        out.push_back(std::move(row.example));
      else
        sets.dropped.add(row.example.place, row.dropped);
    }
    if (out.empty() && count > 0)
      throw invalid_argument("Cannot find valid samples: all {} rows teach nothing, such as {}", count,
                             sets.dropped.first.front());
    return out;
  }

  void load_eval(const std::vector<DatasetInfo>& infos, ExampleSets& sets) {
    if (infos.empty()) return;
    if (!spec_.eval_on_each_dataset) {
      sets.eval.push_back({"", usable(merged(infos), options_.eval_generates, sets)});
      return;
    }
    for (const DatasetInfo& info : infos)
      sets.eval.push_back({info.name, usable(load_one(info), options_.eval_generates, sets)});
  }

  // How many are held out of `count`: val_size from 1 is a number of them.
  int64_t held_out_of(int64_t count) const {
    const double size = spec_.val_size;
    const double held_out = size >= 1 ? std::floor(size) : std::ceil(size * static_cast<double>(count));
    if (!(held_out < static_cast<double>(count)))
      throw invalid_argument("val_size is {}, which holds out {} of {} examples: none are left to train on", size,
                             held_out, count);
    return static_cast<int64_t>(held_out);
  }

  void split(std::vector<Aligned> rows, ExampleSets& sets) const {
    if (spec_.val_size <= kLeastValSize) {
      sets.train = usable(std::move(rows), /*generates=*/false, sets);
      return;
    }
    const auto count = static_cast<int64_t>(rows.size());
    const int64_t held_out = held_out_of(count);
    const std::vector<int64_t> order = NumpyGenerator(static_cast<uint64_t>(options_.seed)).permutation(count);
    std::vector<Aligned> eval, train;
    for (int64_t i = 0; i < count; ++i)
      (i < held_out ? eval : train).push_back(std::move(rows[static_cast<size_t>(order[static_cast<size_t>(i)])]));
    sets.train = usable(std::move(train), /*generates=*/false, sets);
    sets.eval.push_back({"", usable(std::move(eval), options_.eval_generates, sets)});
  }

  void open_stream(std::vector<DatasetInfo> infos, ExampleSets& sets) const {
    if (infos.empty()) return;
    if (spec_.max_samples) throw invalid_argument("max_samples cannot be used with streaming: leave one of them out");
    if (spec_.val_size > kLeastValSize && spec_.val_size != std::floor(spec_.val_size))
      throw invalid_argument("val_size is {}: with streaming it must be a number of examples", spec_.val_size);
    if (infos.size() > 1 && !spec_.interleave_probs.empty()) check_probabilities(spec_.interleave_probs, infos.size());
    StreamOptions options;
    options.mix = mix();
    if (infos.size() == 1) options.mix.strategy = MixStrategy::kConcat;
    options.buffer_size = spec_.buffer_size;
    options.media_dir = media_dir();
    options.stage = options_.stage;
    options.held_out = spec_.val_size > kLeastValSize ? static_cast<int64_t>(spec_.val_size) : 0;
    if (options.held_out > 0)
      sets.eval.push_back({"", read_held_out(infos, options, options_.eval_generates, sets.dropped)});
    sets.stream = open_example_stream(std::move(infos), options);
  }

  const DataSpec& spec_;
  const DataOptions& options_;
  NumpyRandomState random_;  // the reference seeds it once and draws from it dataset by dataset
};

}  // namespace

void check_stage(const DatasetInfo& info, Stage stage) {
  const bool wants_ranking = stage == Stage::kRewardModel || stage == Stage::kDpo;
  if (stage == Stage::kKto && info.columns.kto_tag.empty())
    throw invalid_argument(
        "The dataset is not applicable in the current training stage: dataset '{}' has no kto_tag under \"columns\" in "
        "dataset_info.json, stage kto wants the column that says true or false of an answer",
        info.name);
  if (wants_ranking == info.ranking) return;
  throw invalid_argument(
      "The dataset is not applicable in the current training stage: dataset '{}' has ranking: {} in dataset_info.json, "
      "stage {} wants {}",
      info.name, info.ranking, name_of(stage), wants_ranking);
}

void check_columns(const DatasetInfo& info) { (void)check_first_columns(info, std::numeric_limits<int64_t>::max()); }

std::string check_first_columns(const DatasetInfo& info, int64_t rows) {
  std::vector<DatasetInfo::NeededColumn> missing = info.needed_columns();
  std::set<std::string> columns;
  Row row;
  int64_t count = 0;
  bool ended = false;
  const std::unique_ptr<RowReader> reader = open_rows(info.files);
  while (!missing.empty() && count < rows) {
    if (ended = !reader->next(row); ended) break;
    ++count;
    if (!row.problem.empty()) continue;
    std::erase_if(missing, [&](const auto& needed) { return row.value.contains(needed.column); });
    if (columns.size() < 100)
      for (const auto& [column, value] : row.value.items()) columns.insert(column);
  }
  const std::string file = info.files.front().filename().string();
  if (ended && count == 0) throw invalid_argument("{}: no rows (dataset '{}')", file, info.name);
  if (missing.empty() || columns.empty()) return "";  // without a row that can be read the first one is told of
  const auto& [key, column] = missing.front();
  const std::string found = fmt::format(
      "has a column '{}'{}, which dataset '{}' reads as {}; it has {}: list the columns that it has under \"columns\" "
      "in "
      "dataset_info.json",
      column, did_you_mean(column, columns), info.name, key, fmt::join(columns, ", "));
  if (!ended) return fmt::format("{}: none of the first {} rows {}", file, rows, found);
  throw invalid_argument("{}: no row {}", file, found);
}

std::string unusable(const Example& example, Stage stage, bool generates) {
  if (example.prompt.size() % 2 != 1) return fmt::format("a prompt of {} messages", example.prompt.size());
  const size_t responses = example.response.size();
  switch (stage) {
    case Stage::kPretraining:
    case Stage::kPpo:
      return "";
    case Stage::kSft:
      if (generates || responses == 1) return "";
      return responses == 0 ? "no response to learn" : "a pair of responses, where stage sft learns one";
    case Stage::kRewardModel:
    case Stage::kDpo:
      return responses < 2 ? "no pair of a chosen and a rejected response" : "";
    case Stage::kKto:
      return responses < 2 ? "no response with a kto_tag of true or false" : "";
  }
  return "";
}

ExampleSets load_examples(const DataSpec& spec, const DataOptions& options) {
  if (options.seed < 0 || options.seed > 0xffffffff)
    throw invalid_argument("seed is {}, it must lie between 0 and 2^32 - 1", options.seed);
  return Loader(spec, options).load();
}

}  // namespace hearth
