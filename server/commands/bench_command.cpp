// `hearth bench`: tokens a second of reading, writing and learning, as a table or as JSON; what is under way is on
// stderr.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "finetune/speed/measure_speed.h"
#include "models/resolver.h"
#include "runtime/base/cpu.h"
#include "runtime/base/parallel.h"
#include "server/commands/commands.h"
#include "server/interrupt.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

class Progress : public SpeedMonitor {
 public:
  ~Progress() override { clear(); }

  void on_model(const std::string& text) override { description = text; }
  void on_test(const std::string& test, int sequences, int tokens) override {
    if (!is_terminal_) return;
    fmt::print(stderr, "\r\x1b[K{}, {} x {} tokens ...", test, sequences, tokens);
    std::fflush(stderr);
  }
  void on_speed(const Speed& speed) override { speeds.push_back(speed); }
  bool stop_requested() override { return stop_flag().load(); }
  void clear() {
    if (is_terminal_) fmt::print(stderr, "\r\x1b[K");
  }

  std::string description;
  std::vector<Speed> speeds;

 private:
  const bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
};

double least(const Speed& speed) { return *std::ranges::min_element(speed.tokens_per_second); }
double most(const Speed& speed) { return *std::ranges::max_element(speed.tokens_per_second); }

void print_json(const std::string& model, const Progress& measured) {
  Json results = Json::array();
  for (const Speed& speed : measured.speeds)
    results.push_back({{"test", speed.test},
                       {"sequences", speed.sequences},
                       {"tokens", speed.tokens},
                       {"tokens_per_second", speed.median()},
                       {"samples", speed.tokens_per_second}});
  const Json report = {
      {"hearth", HEARTH_VERSION}, {"cpu", cpu_description()}, {"kernels", std::string(to_string(isa()))},
      {"threads", num_threads()}, {"model", model},           {"description", measured.description},
      {"results", results}};
  fmt::print("{}\n", report.dump(2));
}

void print_table(const std::string& model, const Progress& measured) {
  fmt::print("{}: {}\n{}, {} threads\n\n", model, measured.description, cpu_description(), num_threads());
  fmt::print("{:8} {:>9} {:>7} {:>10} {:>10} {:>10}\n", "test", "sequences", "tokens", "tokens/s", "least", "most");
  for (const Speed& speed : measured.speeds)
    fmt::print("{:8} {:9} {:7} {:10.1f} {:10.1f} {:10.1f}\n", speed.test, speed.sequences, speed.tokens, speed.median(),
               least(speed), most(speed));
}

struct Arguments {
  std::string model;
  SpeedTests tests;
  bool json = false;
};

int run_bench(const Arguments& arguments) {
  const std::filesystem::path model =
      arguments.model.empty() ? resolve_default_model() : resolve_model(arguments.model);
  Progress progress;
  measure_speed(model, arguments.tests, progress);
  progress.clear();
  (arguments.json ? print_json : print_table)(model.string(), progress);
  return 0;
}

}  // namespace

Prepare add_bench(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  SpeedTests& tests = arguments->tests;
  constexpr int kMostTokens = 1 << 20;
  app.add_option("-m,--model", arguments->model, "A path, a cached name or org/name (default: the default model)");
  app.add_option("-p,--prompt", tests.prompt_tokens, "Tokens of the prompt that is read; 0: none")
      ->check(CLI::Range(0, kMostTokens))
      ->capture_default_str();
  app.add_option("-n,--generate", tests.generated_tokens, "Tokens that each sequence is continued by; 0: none")
      ->check(CLI::Range(0, kMostTokens))
      ->capture_default_str();
  app.add_option("-s,--sequences", tests.sequences, "How many sequences are continued at once, a test each")
      ->check(CLI::Range(1, 256))
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--train-rows", tests.train_rows, "Sequences of a training step; 0: none")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--train-tokens", tests.train_tokens, "Tokens of each of them")
      ->check(CLI::Range(8, kMostTokens))
      ->capture_default_str();
  app.add_option("-r,--repetitions", tests.repetitions, "Of each test, after one that does not count")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--json", arguments->json, "JSON instead of a table");
  app.footer(
      "Examples:\n"
      "  hearth bench\n"
      "  hearth bench --model ./smollm2.gguf --prompt 2048 --sequences 1,16 --json\n"
      "  OMP_NUM_THREADS=1 hearth bench --train-rows 0\n\n"
      "prefill: a prompt's tokens until the first of the answer. decode: tokens of all sequences together, after "
      "their\n"
      "first. train: steps of LoRA (rank 8 on all linear maps, bf16). Tokens are drawn at random; the number is the\n"
      "median of the repetitions.");
  return [arguments]() -> Run { return [arguments] { return run_bench(*arguments); }; };
}

}  // namespace hearth
