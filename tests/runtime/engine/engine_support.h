// Requests for the fake model, and what came of them.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/engine/engine.h"
#include "tests/runtime/engine/fake_model.h"

namespace hearth::test {

constexpr auto kPatience = std::chrono::seconds(60);  // for what comes in milliseconds, unless it hangs

struct Answer {
  std::vector<TokenId> tokens;
  std::vector<TokenOutput> outputs, prompt;
  std::vector<StreamEvent::Kind> kinds;
  StreamEvent finished;
};

inline Answer collect(Stream& stream) {
  Answer answer;
  for (;;) {
    std::optional<StreamEvent> event = stream.next(kPatience);
    if (!event) {
      ADD_FAILURE() << "no event in time";
      return answer;
    }
    answer.kinds.push_back(event->kind);
    if (event->kind == StreamEvent::Kind::kPrompt) answer.prompt = event->prompt;
    if (event->kind == StreamEvent::Kind::kToken) {
      answer.tokens.push_back(event->token.id);
      answer.outputs.push_back(event->token);
    }
    if (event->kind == StreamEvent::Kind::kFinished) {
      answer.finished = *event;
      return answer;
    }
  }
}

inline std::vector<TokenId> prompt_of(int length, uint64_t seed) {
  Random random(seed);
  std::vector<TokenId> prompt(length);
  for (TokenId& id : prompt) id = static_cast<TokenId>(random.below(60));
  return prompt;
}

inline GenerateRequest greedy(std::vector<TokenId> prompt, int max_tokens) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  return request;
}

// What greedy decoding of the fake model gives, by its definition.
inline std::vector<TokenId> expected_tokens(std::vector<TokenId> tokens, int count, const Adapter* adapter = nullptr) {
  const size_t prompt = tokens.size();
  for (int i = 0; i < count; ++i) {
    std::vector<TokenId> cached;
    cached.reserve(cached.size() + tokens.size());
    for (const TokenId token : tokens) cached.push_back(FakeModel::adapted(token, adapter));
    const std::vector<float> x = FakeModel::logits_after(cached);
    tokens.push_back(static_cast<TokenId>(std::ranges::max_element(x) - x.begin()));
  }
  return {tokens.begin() + static_cast<int64_t>(prompt), tokens.end()};
}

// Requests of every kind: lengths, seeds and parameters differ.
inline GenerateRequest varied_request(int i) {
  GenerateRequest request = greedy(prompt_of(3 + i * 7 % 90, i), 10 + i % 30);
  if (i % 2) request.sampling.temperature = 0.8f + 0.1f * static_cast<float>(i % 5);
  request.sampling.seed = i;
  if (i % 3 == 0) request.sampling.top_k = 20;
  if (i % 4 == 1) request.sampling.top_p = 0.9f;
  if (i % 5 == 2) request.sampling.repetition_penalty = 1.2f;
  if (i % 5 == 3) request.sampling.frequency_penalty = 0.5f;
  if (i % 6 == 1) request.top_logprobs = 3;
  if (i % 7 == 2) request.prompt_logprobs = true;
  return request;
}

// Stops the inference thread before a step until it is opened.
class Gate {
 public:
  FakeModel::OnForward on_forward() {
    return [this](const Batch&) {
      std::unique_lock lock(mutex_);
      ++arrived_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return open_ || passes_ > 0; });
      if (!open_) --passes_;
    };
  }
  void wait_for_step(int number) {  // the number-th step since the start, from 1
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return arrived_ >= number; }));
  }
  void pass_one() {
    const std::lock_guard lock(mutex_);
    ++passes_;
    changed_.notify_all();
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0, passes_ = 0;
  bool open_ = false;
};

}  // namespace hearth::test
