// data check: every row of a job's datasets, before a model is loaded.
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "finetune/datasets/data_check.h"
#include "finetune/datasets/dataset_info.h"
#include "finetune/datasets/load_examples.h"
#include "finetune/spec/load_train_spec.h"
#include "finetune/spec/yaml_file.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
#include "server/commands/commands.h"

namespace hearth {
namespace {

struct Arguments {
  std::string spec;                    // a training YAML; empty: the rest says what to check
  std::vector<std::string> overrides;  // of the YAML
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

struct Checked {
  std::vector<std::string> names;
  std::filesystem::path dataset_dir, media_dir;
  std::optional<Stage> stage;
  std::optional<int64_t> max_samples;
};

Checked what_to_check(const Arguments& arguments) {
  if (arguments.spec.empty())
    return {split_at_commas(arguments.dataset), arguments.dataset_dir, arguments.media_dir, find_stage(arguments.stage),
            arguments.max_samples};
  const TrainSpec spec = load_train_spec(arguments.spec, arguments.overrides);
  std::vector<std::string> names = spec.data.dataset;
  names.insert(names.end(), spec.data.eval_dataset.begin(), spec.data.eval_dataset.end());
  return {names, spec.data.dataset_dir, spec.data.media_dir, spec.stage, spec.data.max_samples};
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

int check(const Checked& checked, int limit) {
  const std::filesystem::path& media_dir = checked.media_dir.empty() ? checked.dataset_dir : checked.media_dir;
  int64_t bad = 0;
  for (const DatasetInfo& info : read_dataset_info(checked.dataset_dir, checked.names)) {
    try {
      check_columns(info);
    } catch (const Error& error) {
      fmt::print("bad: {}\n", error.what());
      ++bad;
      continue;
    }
    PrintingReporter reporter(limit);
    const DataCounts counts =
        check_dataset(info, media_dir, checked.stage.value_or(stage_of(info)), checked.max_samples, reporter);
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
  command->add_option("SPEC", arguments->spec, "A training YAML, whose datasets are checked");
  command->add_option("KEY=VALUE", arguments->overrides, "In place of what the YAML says");
  command->add_option("--dataset", arguments->dataset, "Names in dataset_info.json, with commas between them");
  command->add_option("--dataset_dir", arguments->dataset_dir, "The directory with dataset_info.json (default: data)");
  command->add_option("--media_dir", arguments->media_dir, "Where images lie (default: dataset_dir)");
  command->add_option("--stage", arguments->stage, "sft, pt, rm, ppo, dpo or kto (default: what the dataset is for)");
  command->add_option("--limit", arguments->limit, "Rows to name of each dataset (default: 20)")
      ->check(CLI::NonNegativeNumber);
  const char* examples =
      "Examples:\n"
      "  hearth data check --dataset identity,alpaca_en_demo --dataset_dir data\n"
      "  hearth data check examples/train_lora/smollm2_lora_identity.yaml\n"
      "The exit code is 1 when a row is bad or nothing is left to learn from.";
  app.footer(examples);
  command->footer(examples);
  return [arguments]() -> Run {
    if (arguments->spec.empty() && arguments->dataset.empty())
      throw invalid_argument("data check: nothing to check: name a training YAML, or --dataset");
    return [checked = what_to_check(*arguments), limit = arguments->limit] { return check(checked, limit); };
  };
}

}  // namespace hearth
