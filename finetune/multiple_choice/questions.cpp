#include "finetune/multiple_choice/questions.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "finetune/datasets/csv_cells.h"
#include "finetune/datasets/numpy_random.h"
#include "finetune/datasets/utf8.h"
#include "runtime/base/error.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

using Cells = std::vector<CsvCell>;
using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 6> kColumns = {"question", "A", "B", "C", "D", "answer"};
constexpr size_t kQuestion = 0, kAnswer = 5;  // the options lie between them
constexpr size_t kMostColumns = 100;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

// Where each of kColumns stands in a row.
struct Columns {
  std::array<size_t, kColumns.size()> at = {0, 1, 2, 3, 4, 5};
  size_t count = kColumns.size();
};

// Of a header; nothing where the first row is a question.
std::optional<Columns> named_columns(const Cells& first, const std::string& name) {
  std::vector<std::string> names;
  for (const CsvCell& cell : first) names.push_back(lower(cell.value_or("")));
  const auto find = [&](std::string_view column) {
    return static_cast<size_t>(std::find(names.begin(), names.end(), column) - names.begin());
  };
  Columns columns{.count = names.size()};
  for (size_t i = 0; i < kColumns.size(); ++i) {
    columns.at[i] = find(lower(std::string(kColumns[i])));
    if (columns.at[i] < names.size()) continue;
    if (i < kAnswer) return std::nullopt;
    throw data_corruption(
        "{}: the header has no column 'answer'; where the answers are not public, use the validation split", name);
  }
  return columns;
}

ChoiceQuestion question_of(Cells& cells, const Columns& columns, std::string place) {
  if (cells.size() != columns.count)
    throw data_corruption("{}: {} cells, {} are needed: is a text with commas not quoted?", place, cells.size(),
                          columns.count);
  for (size_t i = 0; i < kColumns.size(); ++i)
    if (!is_utf8(cells[columns.at[i]].value_or("")))
      throw data_corruption("{}: column '{}' is not UTF-8: save the file as UTF-8", place, kColumns[i]);
  const auto take = [&](size_t column) { return std::exchange(cells[columns.at[column]], {}).value_or(""); };
  ChoiceQuestion question{.text = take(kQuestion), .options = {}, .answer = 0, .place = std::move(place)};
  for (size_t i = 0; i < kLetters.size(); ++i) question.options[i] = take(kQuestion + 1 + i);
  const std::string answer = take(kAnswer);
  const std::string_view letter = trimmed(answer);
  question.answer = letter.size() == 1 ? kLetters.find(letter) : std::string_view::npos;
  if (question.answer == std::string_view::npos)
    throw data_corruption("{}: the answer is '{}', must be A, B, C or D", question.place, printable(answer));
  return question;
}

// "validation" -> the folder and the ending that the task's authors use.
std::string folder_of(std::string_view split) {
  if (split == "validation") return "val";
  return split == "train" ? "dev" : std::string(split);
}

std::vector<ChoiceQuestion> read_split(const TaskFiles& files, const std::string& subject, std::string_view split) {
  const std::string folder = folder_of(split);
  const std::string names[] = {fmt::format("data/{0}/{1}_{0}.csv", folder, subject),  // MMLU
                               fmt::format("{0}/{1}_{0}.csv", folder, subject),       // C-Eval
                               fmt::format("{}/{}.csv", folder, subject)};            // CMMLU
  const std::optional<TaskFiles::Found> found = files.first_of(names);
  if (!found)
    throw not_found("{}: subject '{}' of mapping.json has no file of split {}: there is none of {}{}", files.place(),
                    subject, split, fmt::join(names, ", "),
                    split == "train" ? "; n_shot: 0 does without examples" : "");
  return read_questions(found->bytes, found->name);
}

std::string text_of(const Json& entry, const char* key, const std::string& place) {
  const auto found = entry.is_object() ? entry.find(key) : entry.end();
  if (found == entry.end() || !found->is_string())
    throw data_corruption(R"({}: must be {{"name": "...", "category": "..."}}, lacks the text "{}")", place, key);
  return found->get<std::string>();
}

// Subjects without their questions.
std::vector<ChoiceSubject> read_mapping(const std::filesystem::path& file) {
  const Json mapping = Json::parse(read_file(file, TaskFiles::kMostBytes), nullptr, /*allow_exceptions=*/false);
  if (!mapping.is_object() || mapping.empty())
    throw data_corruption(
        R"({}: must be an object of subjects: {{"anatomy": {{"name": "anatomy", "category": "STEM"}}}})",
        file.string());
  std::vector<ChoiceSubject> subjects;
  for (const auto& [id, entry] : mapping.items()) {
    const std::string place = fmt::format("{}: subject '{}'", file.string(), printable(id));
    if (id.empty() || id.starts_with('.') || id.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos)
      throw data_corruption("{}: is no name of a file", place);
    subjects.push_back({id, text_of(entry, "name", place), text_of(entry, "category", place), {}, {}});
  }
  return subjects;
}

// datasets' shuffle(seed=seed).select(range(count)).
std::vector<ChoiceQuestion> drawn(const std::vector<ChoiceQuestion>& questions, int64_t seed, int count) {
  std::vector<ChoiceQuestion> taken;
  for (const int64_t i :
       NumpyGenerator(static_cast<uint64_t>(seed)).permutation(static_cast<int64_t>(questions.size())))
    if (static_cast<int>(taken.size()) < count) taken.push_back(questions[static_cast<size_t>(i)]);
  return taken;
}

}  // namespace

std::vector<ChoiceQuestion> read_questions(std::string_view csv, const std::string& name) {
  CsvCells rows(csv);
  std::vector<ChoiceQuestion> questions;
  std::optional<Columns> columns;
  int64_t number = 0;  // of the row; a header is none
  for (Cells cells; rows.next(cells);) {
    if (!columns) {
      if (cells.size() > kMostColumns) throw data_corruption("{}: the first row has {} cells", name, cells.size());
      columns = named_columns(cells, name);
      if (columns) continue;
      columns.emplace();
    }
    questions.push_back(question_of(cells, *columns, fmt::format("{}, row {}", name, ++number)));
  }
  if (!rows.problem().empty()) throw data_corruption("{}, row {}: {}", name, number + 1, rows.problem());
  if (questions.empty()) throw data_corruption("{}: there are no questions in it", name);
  return questions;
}

std::vector<ChoiceSubject> load_subjects(const MultipleChoiceSpec& spec) {
  const std::filesystem::path folder = spec.task_dir / spec.task_name();
  const TaskFiles files(folder);
  std::vector<ChoiceSubject> subjects = read_mapping(folder / "mapping.json");
  for (ChoiceSubject& subject : subjects) {
    subject.questions = read_split(files, subject.id, spec.task_split());
    if (spec.n_shot > 0) subject.shots = drawn(read_split(files, subject.id, "train"), spec.seed, spec.n_shot);
  }
  return subjects;
}

}  // namespace hearth
