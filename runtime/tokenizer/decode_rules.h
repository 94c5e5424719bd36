// How the texts of tokens become one text: the decoder section of tokenizer.json, reduced to what StreamDecoder does
// token by token.
#pragma once

#include <cstdint>
#include <string>

namespace hearth {

struct DecodeRules {
  enum class Bytes {
    kText,          // every token is text
    kByteLevel,     // tokens are bytes; what is no UTF-8 becomes U+FFFD
    kByteFallback,  // tokens are text, except <0xNN>: a run of those that is not UTF-8 as a whole becomes one U+FFFD a
                    // byte (the reference's rule)
  };
  Bytes bytes = Bytes::kByteLevel;
  bool first_without_metaspace = false;  // the first token loses every U+2581 (Metaspace)
  uint32_t strip_left = 0;               // so many leading `strip_char` are dropped from the text (Strip behind Fuse)
  char strip_char = ' ';
  bool space_between = false;  // tokens are joined by spaces (no decoder)
};

}  // namespace hearth
