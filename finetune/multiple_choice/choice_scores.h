// What the answers to a multiple-choice task are worth, and its files in save_dir: LLaMA-Factory's results.json (the
// letters) and results.log (the table), and eval_results.json with all counts, which comes last: a directory that has
// it is of a finished evaluation.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "finetune/multiple_choice/questions.h"
#include "finetune/spec/multiple_choice_spec.h"

namespace hearth {

inline constexpr const char* kMultipleChoiceResults = "eval_results.json";

class ChoiceScores {
 public:
  // Of eval_results.json. Throws kDataCorruption.
  static ChoiceScores load(const std::filesystem::path& save_dir);
  // `answers`: to all questions, subject after subject, as numbers of options.
  ChoiceScores(const MultipleChoiceSpec& spec, std::span<const ChoiceSubject> subjects,
               std::span<const size_t> answers);

  // {"Average": 46.12, "STEM": ...}: percents of right answers, first LLaMA-Factory's categories in its order.
  nlohmann::ordered_json percents() const;
  // "        Average: 46.12" for each, as LLaMA-Factory prints them.
  std::string table() const;
  // Throws kUnavailable.
  void save(const std::filesystem::path& save_dir) const;

 private:
  ChoiceScores() = default;
  nlohmann::ordered_json results_;  // eval_results.json
  nlohmann::ordered_json letters_;  // results.json
};

}  // namespace hearth
