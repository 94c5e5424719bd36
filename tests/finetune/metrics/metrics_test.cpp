// Scores against those of nltk, rouge_chinese with jieba, sacrebleu, rouge-score and SQuAD's script
// (tests/golden/make_metrics.py), and vectors of LLaMA-Factory's metric that were computed by hand.
#include <array>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/metrics/jieba.h"
#include "finetune/metrics/ngrams.h"
#include "finetune/metrics/prediction_scores.h"
#include "finetune/metrics/text.h"
#include "finetune/metrics/word_scores.h"
#include "runtime/base/hash.h"
#include "runtime/tokenizer/utf8.h"

namespace hearth::metrics {
namespace {

using Json = nlohmann::json;

constexpr double kTolerance = 1e-4;

std::string utf8_of(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) utf8::append(out, c);
  return out;
}

std::vector<std::string> cut(const std::string& text) {
  const std::u32string points = code_points(text);
  std::vector<std::string> words;
  for (const std::u32string_view word : jieba_cut(points)) words.push_back(utf8_of(word));
  return words;
}

std::string hash_of_cut(const std::string& text) {
  Hash hash;
  for (const std::string& word : cut(text)) hash.add(word);
  return hash.text();
}

std::vector<double> numbers(const PredictionScores& s) {
  return {s.llamafactory.bleu_4,  s.llamafactory.rouge_1, s.llamafactory.rouge_2,
          s.llamafactory.rouge_l, s.squad.exact_match,    s.squad.f1,
          sentence_bleu(s.bleu),  s.word_rouge.rouge_1,   s.word_rouge.rouge_2,
          s.word_rouge.rouge_l};
}

constexpr std::array kNames = {"predict_bleu-4",
                               "predict_rouge-1",
                               "predict_rouge-2",
                               "predict_rouge-l",
                               "predict_exact_match",
                               "predict_f1",
                               "predict_sentence_sacrebleu",
                               "predict_word_rouge1",
                               "predict_word_rouge2",
                               "predict_word_rougeL"};

TEST(Metrics, EqualTheReferencesOn2000Pairs) {
  std::ifstream file("tests/golden/metrics/pairs.jsonl");
  ASSERT_TRUE(file);
  MeanScores means;
  for (std::string line; std::getline(file, line);) {
    const Json expected = Json::parse(line);
    if (expected.contains("means")) {
      ASSERT_EQ(means.count(), 2000);
      const Json found = means.results();
      for (size_t i = 0; i < kNames.size(); ++i)
        EXPECT_NEAR(found.at(kNames[i]).get<double>(), expected["means"][i].get<double>(), kTolerance) << kNames[i];
      EXPECT_NEAR(found.at("predict_sacrebleu").get<double>(), expected["sacrebleu"].get<double>(), kTolerance);
      return;
    }
    const std::string predict = expected["predict"], label = expected["label"];
    EXPECT_EQ(hash_of_cut(predict), expected["cut"][0]) << "jieba: " << predict;
    EXPECT_EQ(hash_of_cut(label), expected["cut"][1]) << "jieba: " << label;
    const PredictionScores scores = score(predict, label);
    const std::vector<double> found = numbers(scores);
    for (size_t i = 0; i < kNames.size(); ++i)
      EXPECT_NEAR(found[i], expected["scores"][i].get<double>(), kTolerance) << kNames[i] << " of " << line;
    means.add(scores);
  }
  FAIL() << "the last line has the means";
}

// prediction, label, rouge-1, rouge-2, rouge-l, bleu-4
TEST(Metrics, LlamaFactorysOwn) {
  const auto cases = Json::parse(R"([
    ["Paris", "Paris", 100, 0, 100, 100],
    ["Paris.", "Paris", 66.6667, 0, 66.6667, 75.9836],
    ["abc", "abcd", 0, 0, 0, 60.2529],
    ["The capital of France is Paris.", "Paris is the capital of France.", 85.7143, 33.3333, 57.1429, 83.0239],
    ["x? ? y", "x ? y", 100, 80, 85.7143, 53.7285],
    ["1. One\n2. Two\n\n\n3. Three", "1. One\n2. Two\n3. Three", 93.3333, 77.7778, 90, 87.4613],
    ["今天天气很好。我们去公园吧！", "今天的天气非常好，我们去公园。", 52.6316, 23.5294, 42.1053, 33.3612],
    ["", "", 0, 0, 0, 0],
    ["", "a", 0, 0, 0, 0],
    ["a", "", 0, 0, 0, 0]
  ])");
  for (const Json& one : cases) {
    const LlamaFactoryScores found = score(one[0].get<std::string>(), one[1].get<std::string>()).llamafactory;
    EXPECT_NEAR(found.rouge_1, one[2].get<double>(), kTolerance) << one;
    EXPECT_NEAR(found.rouge_2, one[3].get<double>(), kTolerance) << one;
    EXPECT_NEAR(found.rouge_l, one[4].get<double>(), kTolerance) << one;
    EXPECT_NEAR(found.bleu_4, one[5].get<double>(), kTolerance) << one;
  }
}

TEST(Jieba, KnowsWordsAndGuessesTheOthers) {
  const std::vector<std::string> expected = {"他", "来到", "了", "网易", "杭研", "大厦"};  // 杭研 is in no dictionary
  EXPECT_EQ(cut("他来到了网易杭研大厦"), expected);
}

TEST(Metrics, LongestCommonSubsequenceBeyondAMachineWord) {
  std::u32string a, b;
  for (char32_t i = 0; i < 1000; ++i) {
    a += i;
    if (i % 3 != 0) b += i;
    if (i % 7 == 0) b += U'\U00010000' + i;
  }
  EXPECT_EQ(common_subsequence(a, b), 666);
  EXPECT_EQ(common_subsequence(b, a), 666);
  EXPECT_EQ(common_subsequence(a, U""), 0);
}

// As Python's \w and \b have it: a superscript is part of a word, a dash is not.
TEST(Metrics, ArticlesAreWholeWords) {
  EXPECT_EQ(squad_scores(U"the\u00b2 cat", U"\u00b2 cat").exact_match, 0);
  EXPECT_EQ(squad_scores(U"the \u2013 cat", U"\u2013 cat").exact_match, 100);
}

TEST(Metrics, BytesThatAreNoTextAreScoredAsReplacementCharacters) {
  EXPECT_EQ(score("a\xff", "a\xef\xbf\xbd").llamafactory.bleu_4, score("ab", "ab").llamafactory.bleu_4);
}

}  // namespace
}  // namespace hearth::metrics
