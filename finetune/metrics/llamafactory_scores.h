// The scores of LLaMA-Factory's do_predict (train/sft/metric.py, ComputeSimilarity) with its arithmetic: BLEU-4 of
// characters as nltk's sentence_bleu with smoothing method 3, and ROUGE of jieba's words as rouge_chinese 1.0.3.
#pragma once

#include <string_view>

namespace hearth::metrics {

// Percents, each rounded to four decimals, as the reference has them before it takes their means.
struct LlamaFactoryScores {
  double bleu_4 = 0, rouge_1 = 0, rouge_2 = 0, rouge_l = 0;
};

LlamaFactoryScores llamafactory_scores(std::u32string_view predict, std::u32string_view label);

}  // namespace hearth::metrics
