// Pre-tokenizer steps that cut numbers as no regular expression does in linear time, or as bytes rather than as text.
#pragma once

#include <memory>

#include "runtime/tokenizer/pretokenizer.h"

namespace hearth {

// Split of \p{N}+, then of (?=(\d{3})+(?!\d)): runs of numeric characters are pieces, cut before every third decimal
// digit from the right.
std::unique_ptr<PreTokenizer> make_number_groups();
// Split of \d{1,3}(?=(?:\d{3})*\b): the groups of three from the right are pieces, where no letter touches the end.
std::unique_ptr<PreTokenizer> make_digit_groups();
// Digits behind ByteLevel, where it sees the characters that spell bytes: ², ³, ¹, ¼, ½ and ¾, numeric like 0 to 9,
// stand for bytes of other characters too. Its pieces need not be whole characters, so no step may follow.
std::unique_ptr<PreTokenizer> make_byte_digits(bool individual);

}  // namespace hearth
