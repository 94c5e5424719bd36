// What an answer must be, token by token: a grammar, say. The engine asks it before each draw and tells it what was
// drawn, one call at a time, from whichever of its threads draws.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/batch.h"

namespace hearth {

class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  // Bit t of word t / 64: token t may come next; later tokens may not. Of text alone: what ends an answer is not among
  // them. None where the text has come to a place from which it cannot be brought to its end (too deeply nested, say):
  // the answer is then cut there, as at max_tokens. Valid until accept().
  virtual std::span<const uint64_t> allowed() = 0;
  virtual bool may_end() const = 0;   // the answer is whole as it is
  virtual bool must_end() const = 0;  // ... and nothing may follow
  // The token that was drawn, one of those that are allowed.
  virtual void accept(TokenId id) = 0;
};

}  // namespace hearth
