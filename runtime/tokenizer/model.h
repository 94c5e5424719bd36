// The step that turns one piece of text into token ids. The models are BPE, Unigram, WordPiece and
// WordLevel, in files of their names.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "runtime/tokenizer/pretokenizer.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/word_cache.h"

namespace hearth {

// Buffers that one encode call borrows, so that a tokenizer stays immutable and nothing is allocated for a word.
struct Workspace {
  struct Symbol {
    TokenId id;
    TokenId merged;       // what it and `next` become
    uint32_t rank;        // of that merge; kNoMerge when there is none
    uint32_t prev, next;  // positions; kEnd at the ends
  };
  struct PathNode {  // of Unigram: the best way to a place in the text
    static constexpr uint32_t kUnreached = UINT32_MAX;
    double score = 0;
    uint32_t begin = kUnreached;  // of the token that ends here
    TokenId id = 0;               // that token
    uint32_t next = 0;            // where the token that begins here ends
  };
  std::vector<Symbol> symbols;
  std::vector<PathNode> path;
  std::vector<uint64_t> heap;
  WordCache cache;
  PieceList pieces;

  // Gives back what an unusually long text needed.
  void trim();
};

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the ids of `piece` (not empty, valid UTF-8).
  virtual void encode(std::string_view piece, Workspace& workspace, std::vector<TokenId>& ids) const = 0;
};

}  // namespace hearth
