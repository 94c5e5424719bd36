// Log-probabilities as the API reports them: of the model's own distribution, before penalties and temperature. The
// numbers are those of ops::token_logprobs to the bit.
#pragma once

#include <span>
#include <vector>

#include "runtime/engine/request.h"

namespace hearth {

// `id` with its log-probability and, when top > 0, the `top` likeliest tokens, equal ones by id, and behind them those
// of `also`. Throws kInternal when a logit is not a number.  logits [vocab_size]
TokenOutput describe(std::span<const float> logits, TokenId id, int top, std::span<const TokenId> also = {});

}  // namespace hearth
