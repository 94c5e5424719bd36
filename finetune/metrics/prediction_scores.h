// All scores of a prediction against its label, and their means over many.
#pragma once

#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

#include "finetune/metrics/llamafactory_scores.h"
#include "finetune/metrics/sacrebleu.h"
#include "finetune/metrics/word_scores.h"

namespace hearth::metrics {

struct PredictionScores {
  LlamaFactoryScores llamafactory;
  SquadScores squad;
  WordRouge word_rouge;
  BleuCounts bleu;
};

// UTF-8.
PredictionScores score(std::string_view predict, std::string_view label);

class MeanScores {
 public:
  void add(const PredictionScores& scores);
  int64_t count() const { return count_; }
  // By the names of predict_results.json, "predict_bleu-4" first: LLaMA-Factory's four, predict_exact_match and
  // predict_f1, predict_sacrebleu (of the corpus) and predict_sentence_sacrebleu (the mean), predict_word_rouge1,
  // predict_word_rouge2, predict_word_rougeL. All in percent.
  nlohmann::ordered_json results() const;

 private:
  int64_t count_ = 0;
  PredictionScores sums_;
  double sentence_bleu_ = 0;
};

}  // namespace hearth::metrics
