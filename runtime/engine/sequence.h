// A request on its way through the engine. Its tokens are prompt and answer in one; what is not in the cache yet is
// pending, and a step computes all of it, a chunk of it, or, while decoding, the one token drawn last. The inference
// thread alone touches it.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/engine/block_pool.h"
#include "runtime/engine/request.h"
#include "runtime/engine/sampler.h"
#include "runtime/engine/stream.h"

namespace hearth {

struct Sequence {
  using Clock = std::chrono::steady_clock;

  explicit Sequence(GenerateRequest r, std::shared_ptr<Stream> s = nullptr)
      : request(std::move(r)), stream(std::move(s)), tokens(std::move(request.prompt)) {
    prompt_length = static_cast<int>(tokens.size());
    grid = grid_positions(prompt_length, request.pictures);
  }
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  int length() const { return static_cast<int>(tokens.size()); }
  int drawn() const { return length() - prompt_length; }  // tokens of the answer
  int pending() const { return length() - computed; }     // tokens that are not in the cache

  GenerateRequest request;  // its prompt has moved to `tokens`
  std::shared_ptr<Stream> stream;
  std::vector<TokenId> tokens;  // where a picture has its features, PictureStore::id_of
  int prompt_length = 0;
  std::vector<std::array<int, 3>> grid;  // of the prompt, as grid_positions has it

  // Of any of its rows, where `grid` is not empty.
  std::array<int, 3> grid_position(int row) const {
    if (row < prompt_length) return grid[row];
    const int next = std::ranges::max(grid.back()) + 1 + row - prompt_length;
    return {next, next, next};
  }

  // The scheduler's.
  BlockTable blocks;
  int computed = 0;                                      // tokens in the cache
  int published = 0;                                     // leading blocks that others may find
  BlockPool::ContentId content = BlockPool::kNoContent;  // of those blocks
  int cached_tokens = 0;                                 // of the prompt, found in the cache at first admission
  bool admitted = false;                                 // was in the batch once

  // The sampler's.
  TokenCounts counts;

  // Results. Every prompt token's logits are needed until its logprobs are delivered.
  std::vector<TokenOutput> prompt_outputs;
  bool prompt_logprobs_pending() const { return request.prompt_logprobs && !prompt_delivered; }
  bool prompt_delivered = false;
  float reward = 0;

  Clock::time_point submitted_at{}, admitted_at{};
};

}  // namespace hearth
