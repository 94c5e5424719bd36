#include "finetune/predict/score_predictions.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include "finetune/datasets/rows.h"
#include "finetune/trainer/output_dir.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

const std::string& text_of(const Row& row, const char* key) {
  const auto found = row.value.find(key);
  if (found == row.value.end())
    throw invalid_argument(R"({}: there is no "{}"; a row of predictions is {{"predict": "...", "label": "..."}})",
                           row.place, key);
  if (!found->is_string())
    throw invalid_argument(R"({}: "{}" is {}, must be a text)", row.place, key, found->type_name());
  return found->get_ref<const std::string&>();
}

using Each = std::function<void(int64_t index, const metrics::PredictionScores& scores)>;

metrics::MeanScores score_rows(const std::filesystem::path& file, const Each& each) {
  metrics::MeanScores means;
  Row row;
  for (const std::unique_ptr<RowReader> reader = open_rows(file); reader->next(row);) {
    if (!row.problem.empty()) throw invalid_argument("{}: {}", row.place, row.problem);
    const metrics::PredictionScores scores = metrics::score(text_of(row, "predict"), text_of(row, "label"));
    each(means.count(), scores);
    means.add(scores);
  }
  if (means.count() == 0) throw invalid_argument("{}: there are no predictions in it", file.string());
  return means;
}

}  // namespace

metrics::MeanScores score_predictions(const std::filesystem::path& file) {
  return score_rows(file, [](int64_t, const metrics::PredictionScores&) {});
}

metrics::MeanScores score_predictions_by_row(const std::filesystem::path& file) {
  AtomicFile out(file.parent_path() / kPredictionScores);
  const metrics::MeanScores means = score_rows(file, [&](int64_t index, const metrics::PredictionScores& s) {
    const nlohmann::ordered_json scores = {{"index", index},
                                           {"bleu-4", s.llamafactory.bleu_4},
                                           {"rouge-1", s.llamafactory.rouge_1},
                                           {"rouge-2", s.llamafactory.rouge_2},
                                           {"rouge-l", s.llamafactory.rouge_l},
                                           {"exact_match", s.squad.exact_match},
                                           {"f1", s.squad.f1}};
    const std::string line = scores.dump() + "\n";
    out.write(std::as_bytes(std::span(line)));
  });
  out.commit();
  return means;
}

}  // namespace hearth
