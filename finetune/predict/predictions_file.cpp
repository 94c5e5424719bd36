#include "finetune/predict/predictions_file.h"

#include <cstdint>
#include <fstream>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "finetune/trainer/output_dir.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// As Python's json.dumps with ensure_ascii=False.
std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

bool answers(const std::string& line, const Question& question) {
  const json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return false;
  const auto text = [&](const char* key) {
    const auto found = value.find(key);
    return found != value.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
  };
  return text("prompt") == question.prompt && text("label") == question.label && text("predict");
}

struct WholeLines {
  size_t lines = 0;
  uint64_t bytes = 0;
};

WholeLines keep(const fs::path& path, std::span<const Question> questions) {
  std::ifstream file(path, std::ios::binary);
  WholeLines kept;
  for (std::string line; kept.lines < questions.size() && std::getline(file, line); ++kept.lines) {
    if (file.eof() || !answers(line, questions[kept.lines])) break;  // at the end of the file: no line break
    kept.bytes += line.size() + 1;
  }
  return kept;
}

std::optional<PredictionState> read_state(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  const json value = json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  PredictionState state;
  if (!value.is_object()) return state;
  for (const auto& [key, text] : value.items())
    if (text.is_string()) state[key] = text.get<std::string>();
  return state;
}

std::vector<std::string> differing(const PredictionState& found, const PredictionState& wanted) {
  std::vector<std::string> names;
  for (const auto& [name, value] : wanted)
    if (const auto other = found.find(name); other == found.end() || other->second != value) names.push_back(name);
  return names;
}

}  // namespace

PredictionsFile::PredictionsFile(const fs::path& directory, const PredictionState& state,
                                 std::span<const Question> questions, bool replaces)
    : questions_(questions) {
  const fs::path path = directory / kPredictionsFile, state_path = directory / kPredictionState;
  const std::optional<PredictionState> found = read_state(state_path);
  const std::vector<std::string> other = differing(found.value_or(PredictionState()), state);
  WholeLines kept;
  if (other.empty()) {
    kept = keep(path, questions);
  } else if (fs::exists(path) && !replaces) {
    throw failed_precondition(
        "{}: holds predictions of an unfinished job with another {}; choose another output_dir, or set "
        "overwrite_output_dir: true",
        path.string(), found ? fmt::format("{}", fmt::join(other, ", ")) : "origin");
  }
  count_ = kept.lines;
  std::error_code failed;
  if (fs::exists(path)) fs::resize_file(path, kept.bytes, failed);
  if (failed) throw unavailable("{}: cannot be cut to its whole lines: {}", path.string(), failed.message());
  if (!other.empty()) write_file_atomic(state_path, json(state).dump(4));
  file_.emplace(path);
}

void PredictionsFile::append(const std::string& predict) {
  HEARTH_CHECK(count_ < questions_.size());
  const Question& question = questions_[count_];
  file_->append(fmt::format("{{\"prompt\": {}, \"predict\": {}, \"label\": {}}}\n", quoted(question.prompt),
                            quoted(predict), quoted(question.label)));
  ++count_;
}

}  // namespace hearth
