// What a tokenizer.model says beyond what libsentencepiece tells of it: its ModelProto
// (github.com/google/sentencepiece, src/sentencepiece_model.proto).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/gguf_token_type.h"

namespace hearth {

struct SentencePieceModel {
  struct Piece {
    std::string text;
    float score = 0;
    GgufTokenType type = kNormalToken;  // numbered alike
  };
  std::vector<Piece> pieces;             // by id
  bool is_bpe = false;                   // else Unigram, words or characters
  bool remove_extra_whitespaces = true;  // of its normaliser
};

// Of bytes that libsentencepiece has parsed; what is malformed ends the reading.
SentencePieceModel read_sentencepiece_model(std::string_view bytes);

}  // namespace hearth
