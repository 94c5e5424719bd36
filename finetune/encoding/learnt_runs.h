// An example as text, cut where learning begins and ends: for readers who want to see what will be trained.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/batch.h"
#include "runtime/tokenizer/tokenizer.h"

namespace hearth {

// Neighbouring tokens that are all learnt, or all not.
struct LearntRun {
  // Their bytes, control tokens as they are spelled, and many of one in a row (an image's) as one with their number; a
  // character may go on in the next run.
  std::string text;
  bool learnt = false;
};

// `labels`: of the same length, kIgnoredLabel where nothing is learnt.
std::vector<LearntRun> learnt_runs(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                                   std::span<const TokenId> labels);

}  // namespace hearth
