// Whether a file of OpenAI's fine-tuning lines can be trained on, line by line: what passes becomes an example of the
// dataset reader (finetune/datasets), what does not is told with its line number. Memory is bounded by the longest
// line. Source: platform.openai.com, "Supervised fine-tuning" and "Direct preference optimization".
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace hearth {

// {"messages": [...]}, {"input": ..., "preferred_output", "non_preferred_output"}, or {"prompt": "...", "completion":
// "..."}
enum class TrainingLines { kChat, kPreference, kCompletion };

inline constexpr int64_t kFewestExamples = 10;
inline constexpr size_t kMostErrors = 20;

struct LineError {
  int64_t line = 0;  // from 1; 0: the file as a whole
  std::string cause;
};

struct TrainingFileReport {
  int64_t examples = 0;           // lines that are one
  int64_t tokens = 0;             // of their texts, without what a template adds; 0 without a tokenizer
  std::vector<LineError> errors;  // the first kMostErrors
  bool has_more_errors = false;
};

struct TrainingFileCheck {
  TrainingLines lines = TrainingLines::kChat;
  int64_t fewest = kFewestExamples;
  std::function<int64_t(std::string_view text)> count_tokens = {};  // empty: none are counted
  std::function<void(size_t done)> on_progress = {};                // bytes; after some MiB each
};

TrainingFileReport check_training_text(std::string_view text, const TrainingFileCheck& check);
// Throws kNotFound.
TrainingFileReport check_training_file(const std::filesystem::path& file, const TrainingFileCheck& check);

// "3 lines cannot be trained on. Line 2: ...; line 5: ..."; empty where there are no errors.
std::string describe(const TrainingFileReport& report);

// What one look at a file tells before it is checked. Not more than it must: a gigabyte takes a fraction of a second.
struct TrainingFileGlance {
  TrainingLines lines = TrainingLines::kChat;  // of its first line
  int64_t examples = 0;                        // lines that are not blank
};
TrainingFileGlance glance_at_training_file(const std::filesystem::path& file);

}  // namespace hearth
