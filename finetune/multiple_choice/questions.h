// The questions of a multiple-choice task by subjects, as mapping.json lists them. A csv file of MMLU's kind has no
// header and the columns question, A, B, C, D, answer; others name theirs (C-Eval: id, question, ...; CMMLU: Question,
// ..., Answer). Untrusted: what is wrong is told with its file and row. Source: the loading scripts in LLaMA-Factory's
// evaluation/ (mmlu.py, ceval.py, cmmlu.py); texts stay as the file has them, where pandas makes numbers and nulls of
// some.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "finetune/multiple_choice/task_files.h"
#include "finetune/spec/multiple_choice_spec.h"

namespace hearth {

inline constexpr std::string_view kLetters = "ABCD";

struct ChoiceQuestion {
  std::string text;
  std::array<std::string, kLetters.size()> options;
  size_t answer = 0;  // of the options
  std::string place;  // "evaluation/mmlu/mmlu.zip: data/test/anatomy_test.csv, row 3"
};

struct ChoiceSubject {
  std::string id, name, category;  // "anatomy", "anatomy", "STEM"
  std::vector<ChoiceQuestion> questions;
  std::vector<ChoiceQuestion> shots;  // answered before each question, in this order
};

// In the order of mapping.json. The shots are of split train: n_shot of them, drawn as LLaMA-Factory draws them but
// with the spec's seed for every question (datasets' shuffle(seed=seed)), so that all questions of a subject begin
// alike. Throws kNotFound, kInvalidArgument, kDataCorruption.
std::vector<ChoiceSubject> load_subjects(const MultipleChoiceSpec& spec);

// The rows of one csv file. Throws kDataCorruption with `name`, the row, what was found and the remedy.
std::vector<ChoiceQuestion> read_questions(std::string_view csv, const std::string& name);

}  // namespace hearth
