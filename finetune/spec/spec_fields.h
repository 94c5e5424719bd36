// The keys of a TrainSpec: of each how its value is read, and how it is written back so that reading gives it again.
// One list, from which the reader, the writer and the comparison of two jobs work.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "finetune/spec/train_spec.h"
#include "finetune/spec/yaml_file.h"

namespace hearth {

struct SpecField {
  std::string_view key;
  std::function<void(const YamlEntry&)> read;  // throws kInvalidArgument
  std::function<std::string()> text;           // as YAML on one line
};

// References into `spec`, which must outlive them. Another value of the first makes another model; the others say how
// the job runs, reports and saves.
std::vector<SpecField> result_fields(TrainSpec& spec);
std::vector<SpecField> run_fields(TrainSpec& spec);

std::string_view name_of(PreferenceLoss loss);
std::vector<std::string_view> names_of(bool (*has)(PreferenceLoss));  // of those that have a property
std::string_view name_of(Stage stage);
std::string_view name_of(FinetuningType type);

// Other names of what TrainSpec holds once; resolve() settles them after everything is read.
struct SpecAliases {
  std::string model_revision = "main";
  bool fp16 = false, pure_bf16 = false;

  std::vector<SpecField> fields(TrainSpec& spec);  // without text
  void resolve(TrainSpec& spec) const;
};

}  // namespace hearth
