// Answers under a constraint: what is drawn is allowed, and they end where it says so, or where it leads nowhere.
#include <algorithm>
#include <memory>
#include <vector>

#include "tests/runtime/engine/engine_support.h"

namespace hearth {
namespace {

using namespace test;

// Lets one token after the other come; what then.
class Script : public TokenConstraint {
 public:
  enum class End { kMust, kMay, kNowhere };
  Script(std::vector<TokenId> tokens, End end, int64_t vocab_size)
      : tokens_(std::move(tokens)), end_(end), mask_(static_cast<size_t>(vocab_size + 63) / 64) {}

  std::span<const uint64_t> allowed() override {
    std::ranges::fill(mask_, 0);
    if (at_ < tokens_.size()) {
      const auto id = static_cast<size_t>(tokens_[at_]);
      mask_[id / 64] |= uint64_t{1} << (id % 64);
    }
    return mask_;
  }
  bool may_end() const override { return at_ == tokens_.size() && end_ != End::kNowhere; }
  bool must_end() const override { return at_ == tokens_.size() && end_ == End::kMust; }
  void accept(TokenId id) override {
    EXPECT_EQ(id, tokens_[at_]);
    ++at_;
  }

 private:
  std::vector<TokenId> tokens_;
  End end_;
  std::vector<uint64_t> mask_;
  size_t at_ = 0;
};

Answer answer_of(Script::End end) {
  const auto model = std::make_shared<FakeModel>();
  Engine engine(model, {});
  GenerateRequest request = greedy(prompt_of(10, 1), 20);
  request.stop_token_ids = {7};
  request.constraint = std::make_shared<Script>(std::vector<TokenId>{5, 3, 9}, end, model->dims().vocab_size);
  Answer answer = collect(*engine.submit(request));
  EXPECT_EQ(engine.stats().blocks_used, 0);
  EXPECT_EQ(engine.stats().failed, 0u);
  return answer;
}

TEST(EngineConstraint, EndsWhereItMust) {
  const Answer answer = answer_of(Script::End::kMust);
  EXPECT_EQ(answer.tokens, (std::vector<TokenId>{5, 3, 9}));
  EXPECT_EQ(answer.finished.finish_reason, FinishReason::kStop);
}

TEST(EngineConstraint, AStopTokenEndsItWhereItMay) {
  const Answer answer = answer_of(Script::End::kMay);
  EXPECT_EQ(answer.tokens, (std::vector<TokenId>{5, 3, 9}));
  EXPECT_EQ(answer.finished.finish_reason, FinishReason::kStop);
  EXPECT_EQ(answer.finished.completion_tokens, 4);
}

TEST(EngineConstraint, IsCutWhereNothingCanFollow) {
  const Answer answer = answer_of(Script::End::kNowhere);
  EXPECT_EQ(answer.tokens, (std::vector<TokenId>{5, 3, 9}));
  EXPECT_EQ(answer.finished.finish_reason, FinishReason::kLength);
}

}  // namespace
}  // namespace hearth
