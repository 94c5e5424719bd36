// A piece of what a model reads: text that is tokenised by itself, one token, or a picture's place where the tokenizer
// has no token for one. A Jinja template makes one piece of a
// whole conversation; LLaMA-Factory's templates make one of every slot, which decides where tokens may merge.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/byte_range.h"

namespace hearth {

struct PromptSegment {
  enum class Kind { kText, kToken, kBos, kEos, kPicture } kind = Kind::kText;
  std::string text = {};  // kText: not empty; kToken: the token as the vocabulary spells it; kPicture: what stood there
  // kText: sorted, disjoint byte ranges of `text` that user and tool messages supplied.
  std::vector<ByteRange> literal = {};

  bool operator==(const PromptSegment&) const = default;
};

}  // namespace hearth
