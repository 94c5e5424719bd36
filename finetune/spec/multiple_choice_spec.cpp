#include "finetune/spec/multiple_choice_spec.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "finetune/spec/chat_keys.h"
#include "finetune/spec/field_makers.h"
#include "finetune/spec/known_keys.h"
#include "finetune/spec/model_reference.h"
#include "finetune/spec/yaml_file.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

constexpr std::pair<std::string_view, QuestionLanguage> kLanguages[] = {{"en", QuestionLanguage::kEnglish},
                                                                        {"zh", QuestionLanguage::kChinese}};
constexpr std::array<std::string_view, 3> kSplits = {"test", "validation", "train"};
constexpr int kMostShots = 1000, kLargestBatch = 256;

std::vector<SpecField> fields_of(MultipleChoiceSpec& spec, std::string& revision) {
  return {field("model_name_or_path", spec.model_name_or_path),
          field("model_revision", revision),
          field("adapter_name_or_path", spec.adapter_name_or_path),
          infer_dtype_field(spec.infer_dtype),
          field("task", spec.task),
          field("task_dir", spec.task_dir),
          choice_field("lang", spec.lang, kLanguages),
          field("n_shot", spec.n_shot, IntRange{0, kMostShots}),
          field("batch_size", spec.batch_size, IntRange{1, kLargestBatch}),
          field("seed", spec.seed, IntRange{0, std::numeric_limits<int64_t>::max()}),
          field("save_dir", spec.save_dir)};
}

// What must hold between the keys. `name` is the file's.
void check(const MultipleChoiceSpec& spec, std::string_view name) {
  for (const auto& [is_missing, key] :
       {std::pair(spec.model_name_or_path.empty(), "model_name_or_path"), std::pair(spec.task.empty(), "task")})
    if (is_missing) throw invalid_argument("{}: lacks '{}'", name, key);
  const size_t line = spec.task.rfind('_');
  const std::string folder = spec.task_name(), split = spec.task_split();
  if (line == std::string::npos || folder.empty() || folder.find_first_of("/\\") != std::string::npos ||
      folder.starts_with('.') || std::find(kSplits.begin(), kSplits.end(), split) == kSplits.end())
    throw invalid_argument(
        "{}: 'task' is '{}'{}, must be a folder of task_dir and a split: mmlu_test, ceval_validation, cmmlu_test or "
        "NAME_test, NAME_validation, NAME_train of your own",
        name, spec.task, line == std::string::npos ? "" : did_you_mean(split, kSplits));
  check_chat_options(spec.chat, fmt::format("{}: ", name));
}

MultipleChoiceSpec read(const std::vector<YamlEntry>& entries, std::string_view name) {
  MultipleChoiceSpec spec;
  std::string revision = "main";
  const std::vector<SpecField> fields = fields_of(spec, revision);
  for (const YamlEntry& entry : used_entries(entries, &KnownKey::multiple_choice, name, spec.warnings)) {
    if (read_chat_key(entry, spec.chat) || entry.is_null()) continue;
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const SpecField& one) { return one.key == entry.key; });
    HEARTH_CHECK(found != fields.end());
    found->read(entry);
  }
  check(spec, name);
  spec.model_name_or_path = with_revision(spec.model_name_or_path, revision);
  spec.yaml = yaml_text(entries);
  return spec;
}

}  // namespace

MultipleChoiceSpec load_multiple_choice_spec(const std::filesystem::path& yaml,
                                             std::span<const std::string> overrides) {
  return read(with_overrides(read_yaml_entries(yaml), overrides), yaml.string());
}

MultipleChoiceSpec parse_multiple_choice_spec(std::string_view text, std::string_view name,
                                              std::span<const std::string> overrides) {
  return read(with_overrides(parse_yaml_entries(text, name), overrides), name);
}

}  // namespace hearth
