// What a multiple-choice evaluation is to do, from the YAML of LLaMA-Factory's `llamafactory-cli eval FILE`: task,
// task_dir, lang, n_shot, batch_size, seed and save_dir beside the keys that choose a model. Strict, as
// load_train_spec.h. Source: LLaMA-Factory's hparams/evaluation_args.py.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/loader.h"
#include "runtime/weight.h"

namespace hearth {

// Of the words around a question.
enum class QuestionLanguage { kEnglish, kChinese };

struct MultipleChoiceSpec {
  std::string model_name_or_path;  // with its revision
  std::vector<std::string> adapter_name_or_path = {};
  ChatOptions chat = {};
  ComputeDtype infer_dtype = ComputeDtype::kAuto;
  std::string task = {};                          // "mmlu_test": name and split
  std::filesystem::path task_dir = "evaluation";  // name/mapping.json and the rows
  QuestionLanguage lang = QuestionLanguage::kEnglish;
  int n_shot = 5;  // answered questions before each, at most
  int batch_size = 4;
  int64_t seed = 42;                    // of which ones, and their order
  std::filesystem::path save_dir = {};  // empty: nothing is saved
  std::vector<std::string> warnings = {};
  std::string yaml = {};  // all keys as they were given, overrides among them: reads back as the same

  std::string task_name() const { return task.substr(0, task.rfind('_')); }    // "mmlu"
  std::string task_split() const { return task.substr(task.rfind('_') + 1); }  // "test", "validation" or "train"
};

// Throw kInvalidArgument; kNotFound for the file.
MultipleChoiceSpec load_multiple_choice_spec(const std::filesystem::path& yaml,
                                             std::span<const std::string> overrides = {});
MultipleChoiceSpec parse_multiple_choice_spec(std::string_view text, std::string_view name,
                                              std::span<const std::string> overrides = {});

}  // namespace hearth
