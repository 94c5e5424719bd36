// data check: every row of a job's datasets, before a model is loaded.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "finetune/datasets/data_check.h"
#include "finetune/datasets/dataset_info.h"
#include "finetune/datasets/load_examples.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
#include "server/commands/commands.h"
#include "server/yaml_file.h"

namespace hearth {
namespace {

struct Arguments {
  std::vector<std::string> pairs;
  std::string dataset, dataset_dir = "data", media_dir, stage;
  std::optional<int64_t> max_samples;
  int limit = 20;
};

constexpr std::pair<const char*, Stage> kStages[] = {{"sft", Stage::kSft},        {"pt", Stage::kPretraining},
                                                     {"rm", Stage::kRewardModel}, {"ppo", Stage::kPpo},
                                                     {"dpo", Stage::kDpo},        {"kto", Stage::kKto}};

std::optional<Stage> find_stage(const std::string& name) {
  if (name.empty()) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& [known, stage] : kStages) {
    if (name == known) return stage;
    names.emplace_back(known);
  }
  throw invalid_argument("stage '{}' does not exist{}; it is one of {}", name, did_you_mean(name, names),
                         fmt::join(names, ", "));
}

void apply(const std::string& pair, Arguments& arguments) {
  const YamlEntry entry = parse_override(pair);
  const std::vector<std::string> known = {"dataset", "dataset_dir", "media_dir", "stage", "max_samples"};
  if (entry.key == "dataset")
    arguments.dataset = fmt::format("{}", fmt::join(yaml_strings(entry), ","));
  else if (entry.key == "dataset_dir")
    arguments.dataset_dir = yaml_string(entry);
  else if (entry.key == "media_dir")
    arguments.media_dir = yaml_string(entry);
  else if (entry.key == "stage")
    arguments.stage = yaml_string(entry);
  else if (entry.key == "max_samples")
    arguments.max_samples = yaml_int(entry, 1, int64_t{1} << 40);
  else
    throw invalid_argument("data check: unknown key '{}'{}; it takes {}", entry.key, did_you_mean(entry.key, known),
                           fmt::join(known, ", "));
}

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.size(), text.find(',', begin));
    const size_t first = text.find_first_not_of(' ', begin), last = text.find_last_not_of(' ', end - 1);
    if (first < end) names.push_back(text.substr(first, last + 1 - first));
    begin = end + 1;
  }
  return names;
}

// The first problems of each kind on stdout, a line each.
class PrintingReporter : public DataReporter {
 public:
  explicit PrintingReporter(int limit) : limit_(limit) {}
  void bad(const BadExample& example) override { print("bad", example.what()); }
  void dropped(const std::string& place, const std::string& reason) override {
    print("dropped", place + ": " + reason);
  }

 private:
  void print(const char* kind, const std::string& text) {
    if (++shown_ <= limit_) fmt::print("{}: {}\n", kind, text);
    if (shown_ == limit_ + 1) fmt::print("more of them are only counted (--limit shows them)\n");
  }
  int limit_, shown_ = 0;
};

int check(const Arguments& arguments) {
  const std::vector<std::string> names = split_names(arguments.dataset);
  const std::optional<Stage> stage = find_stage(arguments.stage);
  const std::string& media_dir = arguments.media_dir.empty() ? arguments.dataset_dir : arguments.media_dir;
  int64_t bad = 0;
  for (const DatasetInfo& info : read_dataset_info(arguments.dataset_dir, names)) {
    try {
      check_columns(info);
    } catch (const Error& error) {
      fmt::print("bad: {}\n", error.what());
      ++bad;
      continue;
    }
    PrintingReporter reporter(arguments.limit);
    const DataCounts counts =
        check_dataset(info, media_dir, stage.value_or(stage_of(info)), arguments.max_samples, reporter);
    bad += counts.bad;
    fmt::print(
        "{}: {} rows, {} used, {} dropped, {} bad; {} with tools, {} with a system text, {} with media; {} turns\n",
        info.name, counts.rows, counts.used, counts.dropped, counts.bad, counts.with_tools, counts.with_system,
        counts.with_media, counts.turns);
    if (counts.used == 0) {
      fmt::print("{}: nothing to learn from\n", info.name);
      ++bad;
    }
  }
  return bad == 0 ? 0 : 1;
}

}  // namespace

Prepare add_data(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.require_subcommand(1);
  CLI::App* command =
      app.add_subcommand("check", "Read every row of datasets and say which are bad or dropped, and why");
  command->add_option("KEY=VALUE", arguments->pairs, "dataset, dataset_dir, media_dir, stage or max_samples");
  command->add_option("--dataset", arguments->dataset, "Names in dataset_info.json, with commas between them");
  command->add_option("--dataset_dir", arguments->dataset_dir, "The directory with dataset_info.json (default: data)");
  command->add_option("--media_dir", arguments->media_dir, "Where images lie (default: dataset_dir)");
  command->add_option("--stage", arguments->stage, "sft, pt, rm, ppo, dpo or kto (default: what the dataset is for)");
  command->add_option("--limit", arguments->limit, "Rows to name of each dataset (default: 20)")
      ->check(CLI::NonNegativeNumber);
  const char* examples =
      "Examples:\n"
      "  hearth data check --dataset identity,alpaca_en_demo --dataset_dir data\n"
      "  hearth data check dataset=dpo_en_demo dataset_dir=data stage=dpo max_samples=1000\n"
      "The exit code is 1 when a row is bad or nothing is left to learn from.";
  app.footer(examples);
  command->footer(examples);
  return [arguments]() -> Run {
    for (const std::string& pair : arguments->pairs) apply(pair, *arguments);
    find_stage(arguments->stage);
    if (split_names(arguments->dataset).empty())
      throw invalid_argument("data check: no dataset is named: --dataset NAME, of those in dataset_info.json");
    return [arguments] { return check(*arguments); };
  };
}

}  // namespace hearth
