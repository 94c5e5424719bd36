// Any bytes as a file of fine-tuning lines: each kind of lines is checked, and every complaint has a cause and a line
// that the file has. (That what passes is an example to the reader is part of the check itself.)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/fine_tuning/check_training_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hearth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<int64_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  for (const TrainingLines kind : {TrainingLines::kChat, TrainingLines::kPreference, TrainingLines::kCompletion}) {
    const TrainingFileReport report = check_training_text(text, {.lines = kind, .fewest = 1});
    if (report.errors.size() > kMostErrors || report.examples > lines) __builtin_trap();
    for (const LineError& error : report.errors)
      if (error.cause.empty() || error.line < 0 || error.line > lines) __builtin_trap();
    if (report.errors.empty() && report.examples == 0) __builtin_trap();
  }
  return 0;
}
