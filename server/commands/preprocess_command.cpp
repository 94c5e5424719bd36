// preprocess: what a job would train, before it does.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include <unistd.h>

#include "finetune/datasets/load_examples.h"
#include "finetune/encoding/encode_examples.h"
#include "finetune/encoding/print_encoded.h"
#include "finetune/spec/load_train_spec.h"
#include "models/loader.h"
#include "models/named_template.h"
#include "models/resolver.h"
#include "server/commands/commands.h"

namespace hearth {
namespace {

int run_preprocess(const TrainSpec& spec, int rows) {
  const ExampleSets sets = load_examples(spec.data, {.stage = spec.stage, .seed = spec.training.seed});
  const std::filesystem::path model = resolve_model(spec.model_name_or_path);
  const LoadedModel loaded = load_without_weights(model, spec.chat);
  warn_of_difference(model.string(), loaded);
  std::vector<Example> examples = sets.train;
  if (sets.stream) {
    sets.stream->begin(0);
    Example example;
    while (examples.size() < kEncodingGroup && sets.stream->next(example)) examples.push_back(example);
  }
  const EncodedData data = encode_examples(loaded, examples, spec.data, spec.stage);
  const LearntMarks& marks = ::isatty(STDOUT_FILENO) == 1 ? kColours : kBrackets;
  for (size_t i = 0; i < std::min<size_t>(rows, data.examples.size()); ++i) {
    std::cout << "example " << i + 1 << " of " << data.examples.size() << '\n';
    print_example(std::cout, *loaded.tokenizer, data.examples[i], marks);
    std::cout << '\n';
  }
  print_totals(std::cout, data);
  for (const std::string& dropped : sets.dropped.first) std::cout << "dropped: " << dropped << '\n';
  return data.examples.empty() ? 1 : 0;
}

}  // namespace

Prepare add_preprocess(CLI::App& app) {
  struct Arguments {
    std::string spec;
    std::vector<std::string> overrides;
    int rows = 3;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("SPEC", arguments->spec, "LLaMA-Factory's training YAML")->required();
  app.add_option("KEY=VALUE", arguments->overrides, "In place of what the file says");
  app.add_option("--rows", arguments->rows, "Examples to show")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.footer(
      "Examples:\n"
      "  hearth preprocess examples/train_lora/smollm2_lora_identity.yaml\n"
      "  hearth preprocess job.yaml cutoff_len=512 --rows 10\n\n"
      "What the model learns to write stands in [[ ]] (in colour on a terminal).");
  return [arguments]() -> Run {
    return [spec = load_train_spec(arguments->spec, arguments->overrides), rows = arguments->rows] {
      return run_preprocess(spec, rows);
    };
  };
}

}  // namespace hearth
