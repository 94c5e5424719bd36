// BLEU as sacrebleu 2.6 computes it with its defaults: tokenizer 13a, case kept, smoothing exp.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::metrics {

// What a corpus' score is made of.
struct BleuCounts {
  std::array<int64_t, 4> matched{}, predicted{};  // n-grams
  int64_t predict_length = 0, label_length = 0;   // words

  void add(const BleuCounts& other);
};

BleuCounts bleu_counts(std::u32string_view predict, std::u32string_view label);

// corpus_bleu of all that was added, in percent.
double corpus_bleu(const BleuCounts& counts);
// sentence_bleu, which counts orders of n-grams only as far as the prediction has them, in percent.
double sentence_bleu(const BleuCounts& counts);

// The words with a blank between them.
std::u32string tokenize_13a(std::u32string_view text);

}  // namespace hearth::metrics
