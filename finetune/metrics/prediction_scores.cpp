#include "finetune/metrics/prediction_scores.h"

#include <algorithm>
#include <string>

#include "finetune/metrics/text.h"

namespace hearth::metrics {

PredictionScores score(std::string_view predict, std::string_view label) {
  const std::u32string a = code_points(predict), b = code_points(label);
  return {.llamafactory = llamafactory_scores(a, b),
          .squad = squad_scores(a, b),
          .word_rouge = word_rouge(a, b),
          .bleu = bleu_counts(a, b)};
}

void MeanScores::add(const PredictionScores& scores) {
  ++count_;
  LlamaFactoryScores& l = sums_.llamafactory;
  l.bleu_4 += scores.llamafactory.bleu_4;
  l.rouge_1 += scores.llamafactory.rouge_1;
  l.rouge_2 += scores.llamafactory.rouge_2;
  l.rouge_l += scores.llamafactory.rouge_l;
  sums_.squad.exact_match += scores.squad.exact_match;
  sums_.squad.f1 += scores.squad.f1;
  sums_.word_rouge.rouge_1 += scores.word_rouge.rouge_1;
  sums_.word_rouge.rouge_2 += scores.word_rouge.rouge_2;
  sums_.word_rouge.rouge_l += scores.word_rouge.rouge_l;
  sums_.bleu.add(scores.bleu);
  sentence_bleu_ += sentence_bleu(scores.bleu);
}

nlohmann::ordered_json MeanScores::results() const {
  const auto mean = [&](double sum) { return sum / static_cast<double>(std::max<int64_t>(count_, 1)); };
  return {
      {"predict_bleu-4", mean(sums_.llamafactory.bleu_4)},     {"predict_rouge-1", mean(sums_.llamafactory.rouge_1)},
      {"predict_rouge-2", mean(sums_.llamafactory.rouge_2)},   {"predict_rouge-l", mean(sums_.llamafactory.rouge_l)},
      {"predict_exact_match", mean(sums_.squad.exact_match)},  {"predict_f1", mean(sums_.squad.f1)},
      {"predict_sacrebleu", corpus_bleu(sums_.bleu)},          {"predict_sentence_sacrebleu", mean(sentence_bleu_)},
      {"predict_word_rouge1", mean(sums_.word_rouge.rouge_1)}, {"predict_word_rouge2", mean(sums_.word_rouge.rouge_2)},
      {"predict_word_rougeL", mean(sums_.word_rouge.rouge_l)}};
}

}  // namespace hearth::metrics
