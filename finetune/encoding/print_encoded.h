// What will be trained, for a reader: examples with the part that is learnt marked, and the totals of a data set. As
// LLaMA-Factory's "training example:", but showing where each label stands.
#pragma once

#include <ostream>
#include <span>
#include <string_view>

#include "finetune/encoding/encode_examples.h"
#include "finetune/encoding/tokenized_example.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

// What stands around the text that is learnt.
struct LearntMarks {
  std::string_view begin, end;
};
inline constexpr LearntMarks kBrackets{"[[", "]]"};
inline constexpr LearntMarks kColours{"\x1b[1;32m", "\x1b[0m"};

// Its ids, its text (control characters but line breaks and tabs as \xNN) and its labels.
void print_example(std::ostream& out, const Tokenizer& tokenizer, const TokenizedExample& example,
                   const LearntMarks& marks);

struct EncodedTotals {
  int64_t examples = 0, tokens = 0, learnt = 0;                 // learnt: tokens with a label
  int shortest = 0, median = 0, percentile90 = 0, longest = 0;  // tokens of an example
};
EncodedTotals totals(std::span<const TokenizedExample> examples);

// The totals, what was shortened, and how many were dropped, with the first few reasons.
void print_totals(std::ostream& out, const EncodedData& data);

}  // namespace hearth
