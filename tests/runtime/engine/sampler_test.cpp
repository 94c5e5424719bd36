#include "runtime/engine/sampler.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/random.h"

namespace hearth {
namespace {

constexpr int kDraws = 20000;

std::vector<int> draw_many(const std::vector<float>& logits, const SamplingParams& params,
                           const TokenCounts& counts = {}, const std::vector<TokenId>& banned = {}) {
  Sampler sampler;
  std::vector<int> drawn(logits.size());
  for (int i = 0; i < kDraws; ++i) ++drawn[sampler.draw(logits, {params, counts, banned, static_cast<uint64_t>(i)})];
  return drawn;
}

// Within five standard deviations, and nothing that cannot be drawn.
void expect_distribution(const std::vector<int>& drawn, const std::map<TokenId, double>& probabilities) {
  for (size_t id = 0; id < drawn.size(); ++id) {
    const auto found = probabilities.find(static_cast<TokenId>(id));
    const double p = found == probabilities.end() ? 0 : found->second;
    EXPECT_NEAR(drawn[id], p * kDraws, 5 * std::sqrt(kDraws * p * (1 - p)) + (p > 0)) << "token " << id;
    if (p > 0) {
      EXPECT_GT(drawn[id], 0) << "token " << id;
    }
  }
}

std::map<TokenId, double> softmax(const std::map<TokenId, double>& logits) {
  double sum = 0;
  for (const auto& [id, x] : logits) sum += std::exp(x);
  std::map<TokenId, double> p;
  for (const auto& [id, x] : logits) p[id] = std::exp(x) / sum;
  return p;
}

TokenId draw_once(const std::vector<float>& logits, const SamplingParams& params, const TokenCounts& counts = {},
                  const std::vector<TokenId>& banned = {}) {
  Sampler sampler;
  return sampler.draw(logits, {params, counts, banned, 0});
}

TEST(Sampler, EqualsTransformersProcessors) {
  const nlohmann::json cases = nlohmann::json::parse(std::ifstream("tests/golden/sampler/cases.json"));
  for (const nlohmann::json& c : cases) {
    SCOPED_TRACE(c["parameters"].dump());
    SamplingParams params;
    params.temperature = c["parameters"].value("temperature", 1.0f);
    params.top_k = c["parameters"].value("top_k", 0);
    params.top_p = c["parameters"].value("top_p", 1.0f);
    params.min_p = c["parameters"].value("min_p", 0.0f);
    params.typical_p = c["parameters"].value("typical_p", 1.0f);
    params.repetition_penalty = c["parameters"].value("repetition_penalty", 1.0f);
    TokenCounts counts;
    if (Sampler::uses_counts(params))
      for (const TokenId id : c["seen"]) counts[id] = 0;
    std::map<TokenId, double> kept;
    for (const nlohmann::json& token : c["kept"]) kept[token[0]] = token[1];
    expect_distribution(draw_many(c["logits"], params, counts), kept);
  }
}

TEST(Sampler, GreedyTakesTheLowestIdOfEqualLogits) {
  EXPECT_EQ(draw_once({1, 3, 2, 3}, {.temperature = 0}), 1);
  EXPECT_EQ(draw_once({-5, -5}, {.temperature = 0}), 0);
}

TEST(Sampler, TinyTemperaturesAreGreedy) { EXPECT_EQ(draw_once({100, 3e8f, 200}, {.temperature = 1e-40f}), 1); }

TEST(Sampler, FrequencyAndPresencePenaltiesCountTheAnswerOnly) {
  SamplingParams params{.frequency_penalty = 0.5f, .presence_penalty = 0.25f};
  const TokenCounts counts{{0, 0}, {1, 1}, {2, 3}};  // token 0 is in the prompt
  expect_distribution(draw_many({1, 1, 1, 1}, params, counts), softmax({{0, 1}, {1, 1 - 0.75}, {2, 1 - 1.75}, {3, 1}}));
}

TEST(Sampler, BiasIsAddedAfterThePenalties) {
  SamplingParams params{.temperature = 0, .repetition_penalty = 2};
  params.logit_bias = {{1, 1.5f}};
  // 2 / 2 + 1.5 wins against 2.4; (2 + 1.5) / 2 would not.
  EXPECT_EQ(draw_once({2.4f, 2, 0}, params, {{1, 0}}), 1);
}

TEST(Sampler, RepetitionPenaltyLowersNegativeLogits) {
  EXPECT_EQ(draw_once({-1, -1.5f}, {.temperature = 0, .repetition_penalty = 2}, {{0, 0}}), 1);
}

TEST(Sampler, BannedTokensAreNeverDrawn) {
  const std::vector<TokenId> banned{1, 2, 1000, -1};
  expect_distribution(draw_many({0, 9, 9, 1}, {}, {}, banned), softmax({{0, 0}, {3, 1}}));
  EXPECT_EQ(draw_once({0, 9}, {.temperature = 0}, {}, {1}), 0);
  EXPECT_THROW(draw_once({0, 9}, {.temperature = 0}, {}, {0, 1}), Error);
}

TEST(Sampler, ZeroMassesKeepTheFirstToken) {
  EXPECT_EQ(draw_once({1, 5, 5, 2}, {.top_p = 0}), 1);
  EXPECT_EQ(draw_once({1, 9, 5, 2}, {.min_p = 1}), 1);
}

TEST(Sampler, RefusesLogitsThatAreNotNumbers) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  EXPECT_THROW(draw_once({nan, nan}, {.temperature = 0}), Error);
  EXPECT_THROW(draw_once({1, nan, 2}, {.temperature = 1, .top_p = 0.5f}), Error);
  EXPECT_THROW(draw_once({1, infinity}, {}), Error);
  EXPECT_THROW(draw_once({-infinity, -infinity}, {}), Error);
}

TEST(Sampler, TheSameSeedAndPlaceDrawTheSameToken) {
  const std::vector<float> logits(1000, 0.0f);
  Sampler used, fresh;
  const auto draw = [&](Sampler& sampler, uint64_t seed, uint64_t place) {
    const SamplingParams params{.seed = seed};
    return sampler.draw(logits, {params, {}, {}, place});
  };
  std::vector<TokenId> first, second, neighbour;
  for (uint64_t i = 0; i < 50; ++i) first.push_back(draw(used, 3, i));
  for (uint64_t i = 50; i-- > 0;) second.insert(second.begin(), draw(fresh, 3, i));
  for (uint64_t i = 0; i < 50; ++i) neighbour.push_back(draw(used, 4, i));
  EXPECT_EQ(first, second);
  EXPECT_NE(first, neighbour);
  EXPECT_NE(std::vector(first.begin() + 1, first.end()), std::vector(neighbour.begin(), neighbour.end() - 1));
}

// The fast paths on a vocabulary of real size against sorting all of it.
class LargeVocabulary : public testing::Test {
 protected:
  static std::vector<float> logits(uint64_t seed) {
    Random random(seed);
    std::vector<float> x(49152);
    for (float& v : x) v = 3 * random.normal();
    return x;
  }
  // Ids by probability, likeliest first, with the probability.
  static std::vector<std::pair<double, TokenId>> sorted(const std::vector<float>& x, double temperature = 1) {
    std::vector<std::pair<double, TokenId>> p;
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      p.emplace_back(std::exp(x[i] / temperature), static_cast<TokenId>(i));
      sum += p.back().first;
    }
    for (auto& [q, id] : p) q /= sum;
    std::ranges::sort(p, [](const auto& a, const auto& b) { return a.first > b.first; });
    return p;
  }
  // The rank below which every one of many draws lies, and the largest one drawn.
  static size_t largest_rank(const std::vector<float>& x, const SamplingParams& params) {
    std::vector<size_t> rank(x.size());
    const auto order = sorted(x);
    for (size_t i = 0; i < order.size(); ++i) rank[order[i].second] = i;
    Sampler sampler;
    size_t largest = 0;
    for (uint64_t i = 0; i < 300; ++i) largest = std::max(largest, rank[sampler.draw(x, {params, {}, {}, i})]);
    return largest;
  }
};

TEST_F(LargeVocabulary, TopKDrawsFromTheKLargest) {
  for (const int k : {1, 2, 40, 2049}) {
    const size_t largest = largest_rank(logits(1), {.temperature = 1.5f, .top_k = k});
    EXPECT_LT(largest, static_cast<size_t>(k));
    EXPECT_GE(largest + 1, static_cast<size_t>(k) * 3 / 4);
  }
}

TEST_F(LargeVocabulary, TopPDrawsFromTheFewestThatReachP) {
  const auto order = sorted(logits(2));
  for (const float top_p : {0.1f, 0.5f, 0.9f}) {
    size_t count = 0;
    for (double mass = 0; mass < top_p; ++count) mass += order[count].first;
    const size_t largest = largest_rank(logits(2), {.top_p = top_p});
    EXPECT_LT(largest, count + 2) << "rounding may move the border by one";
    EXPECT_GE(largest, count * 3 / 4);
  }
}

TEST_F(LargeVocabulary, MinPDrawsWhatIsNearTheTop) {
  const auto order = sorted(logits(3));
  size_t count = 0;
  while (order[count].first >= 0.05 * order[0].first) ++count;
  const size_t largest = largest_rank(logits(3), {.min_p = 0.05f});
  EXPECT_LT(largest, count + 1);
  EXPECT_GE(largest, count * 3 / 4);
}

TEST(Sampler, NamesTheParameterThatIsOutOfRange) {
  const auto refused = [](auto change) {
    SamplingParams params;
    change(params);
    try {
      Sampler::check(params, 100);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return std::string(error.what());
    }
    return std::string();
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(refused([](SamplingParams&) {}), "");
  EXPECT_EQ(refused([](SamplingParams& p) { p.temperature = -1; }).rfind("temperature is -1", 0), 0u);
  EXPECT_EQ(refused([&](SamplingParams& p) { p.top_p = nan; }).rfind("top_p is nan", 0), 0u);
  EXPECT_EQ(refused([](SamplingParams& p) { p.top_k = -1; }).rfind("top_k is -1", 0), 0u);
  EXPECT_EQ(refused([](SamplingParams& p) { p.repetition_penalty = 0; }).rfind("repetition_penalty is 0", 0), 0u);
  EXPECT_EQ(refused([](SamplingParams& p) { p.logit_bias = {{100, 1}}; }).rfind("logit_bias: token id 100", 0), 0u);
}

}  // namespace
}  // namespace hearth
