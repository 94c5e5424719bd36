// One request inside the engine: its tokens, how many of them are in the cache, and where.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/engine/block_pool.h"
#include "runtime/engine/request.h"
#include "runtime/engine/sampler.h"
#include "runtime/engine/stream.h"

namespace hearth {

struct Sequence {
  Sequence(uint64_t number, GenerateRequest wanted, std::shared_ptr<Stream> out)
      : id(number), request(std::move(wanted)), stream(std::move(out)), tokens(request.prompt), sampler(request) {}

  uint64_t id;
  GenerateRequest request;
  std::shared_ptr<Stream> stream;
  std::vector<TokenId> tokens;  // prompt, then what was drawn
  Sampler sampler;

  int computed = 0;                              // tokens in the cache
  BlockTable blocks;                             // cover `computed` and the rows of the step under way
  int published = 0;                             // leading blocks that are shareable
  BlockPool::Chain chain = BlockPool::kNoChain;  // of the published blocks
  bool shares_prefix = true;
  int cached_tokens = 0;  // of the prompt, found in the cache at the first admission
  bool admitted = false;  // was running at least once

  std::vector<TokenOutput> prompt_logprobs;  // of prompt tokens 1 .. size()
  bool prompt_sent = false;
  FinishReason finish_reason = FinishReason::kStop;  // once the engine counts it as finished

  int prompt_tokens() const { return static_cast<int>(request.prompt.size()); }
  int drawn() const { return static_cast<int>(tokens.size()) - prompt_tokens(); }
  int pending() const { return static_cast<int>(tokens.size()) - computed; }
  // One row, of a token that was drawn here: a decode row.
  bool decoding() const { return pending() == 1 && drawn() > 0; }
};

}  // namespace hearth
