// generated_predictions.jsonl, LLaMA-Factory's file of what a model answers, written line by line: a run that was
// killed goes on behind the last whole line. predict_state.json beside it says what job the lines are of.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "runtime/base/append_file.h"

namespace hearth {

// What a line says besides the prediction.
struct Question {
  std::string prompt, label;
};

// What predictions depend on, by the words in which a user is told that something differs.
using PredictionState = std::map<std::string, std::string>;

class PredictionsFile {
 public:
  // Keeps the lines that an unfinished run of the same job left in `directory`, and cuts off what is no whole line or
  // answers another question. Lines of another job go where `replaces` is true, and else are kFailedPrecondition.
  PredictionsFile(const std::filesystem::path& directory, const PredictionState& state,
                  std::span<const Question> questions, bool replaces);

  size_t count() const { return count_; }  // of lines that are there: the questions before have their answer
  // The answer to questions[count()]. Throws kUnavailable (a full disk).
  void append(const std::string& predict);

 private:
  std::span<const Question> questions_;
  size_t count_ = 0;
  std::optional<AppendFile> file_;
};

}  // namespace hearth
