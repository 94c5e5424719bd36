#include "finetune/multiple_choice/choice_scores.h"

#include <cstdint>

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kAverage = "Average";
constexpr const char* kCategories[] = {kAverage, "STEM", "Social Sciences", "Humanities", "Other"};

// Adds one question to the counts of `of`.
void count(Json& of, bool is_right) {
  const int64_t correct = of.value("correct", int64_t{0}) + is_right, questions = of.value("questions", int64_t{0}) + 1;
  of["accuracy"] = 100.0 * static_cast<double>(correct) / static_cast<double>(questions);
  of["correct"] = correct;
  of["questions"] = questions;
}

// As Python's json.dump(value, indent=2).
std::string text_of(const Json& value) {
  return value.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

}  // namespace

ChoiceScores::ChoiceScores(const MultipleChoiceSpec& spec, std::span<const ChoiceSubject> subjects,
                           std::span<const size_t> answers)
    : letters_(Json::object()) {
  Json categories = Json::object(), by_subject = Json::object();
  for (const char* name : kCategories) categories[name] = Json::object();
  size_t next = 0;
  for (const ChoiceSubject& subject : subjects) {
    Json& scored = by_subject[subject.id] = {{"name", subject.name}, {"category", subject.category}};
    for (size_t i = 0; i < subject.questions.size(); ++i) {
      const size_t answer = answers[next++];
      letters_[subject.id][std::to_string(i)] = std::string(1, kLetters[answer]);
      const bool is_right = answer == subject.questions[i].answer;
      for (Json* of : {&scored, &categories[kAverage], &categories[subject.category]}) count(*of, is_right);
    }
  }
  for (const char* name : kCategories)
    if (categories[name].empty()) categories.erase(name);
  results_ = {{"task", spec.task},
              {"n_shot", spec.n_shot},
              {"seed", spec.seed},
              {"template", spec.chat.template_name},
              {"model_name_or_path", spec.model_name_or_path},
              {"adapter_name_or_path", spec.adapter_name_or_path},
              {"categories", categories},
              {"subjects", by_subject}};
}

ChoiceScores ChoiceScores::load(const std::filesystem::path& save_dir) {
  const std::filesystem::path file = save_dir / kMultipleChoiceResults;
  ChoiceScores scores;
  scores.results_ = Json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  const bool is_whole = scores.results_.is_object() && scores.results_.contains("categories");
  const Json categories = is_whole ? scores.results_["categories"] : Json();
  bool is_sound = categories.is_object();
  for (const Json& category : categories)
    is_sound = is_sound && category.is_object() && category.contains("accuracy") && category["accuracy"].is_number();
  if (!is_sound) throw data_corruption("{}: is no result of a multiple-choice evaluation", file.string());
  return scores;
}

Json ChoiceScores::percents() const {
  Json percents = Json::object();
  for (const auto& [name, category] : results_["categories"].items()) percents[name] = category["accuracy"];
  return percents;
}

std::string ChoiceScores::table() const {
  const Json of_categories = percents();
  std::string text;
  for (const auto& [name, percent] : of_categories.items())
    text += fmt::format("{}{:>15}: {:.2f}", text.empty() ? "" : "\n", name, percent.get<double>());
  return text;
}

void ChoiceScores::save(const std::filesystem::path& save_dir) const {
  write_file_atomic(save_dir / "results.json", text_of(letters_));
  write_file_atomic(save_dir / "results.log", table());
  write_file_atomic(save_dir / kMultipleChoiceResults, text_of(results_) + "\n");
}

}  // namespace hearth
