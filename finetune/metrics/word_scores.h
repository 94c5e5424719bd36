// Scores of words between white space: ROUGE as Google's rouge-score 0.1.2 (use_stemmer=False), and the exact match and
// F1 of the SQuAD 2.0 evaluation script.
#pragma once

#include <string_view>

namespace hearth::metrics {

// F-measures in percent. Words are runs of a-z and 0-9, whatever the case.
struct WordRouge {
  double rouge_1 = 0, rouge_2 = 0, rouge_l = 0;
};
WordRouge word_rouge(std::u32string_view predict, std::u32string_view label);

// In percent, of texts in lower case without ASCII punctuation and without the words a, an and the.
struct SquadScores {
  double exact_match = 0, f1 = 0;
};
SquadScores squad_scores(std::u32string_view predict, std::u32string_view label);

}  // namespace hearth::metrics
