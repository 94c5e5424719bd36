// Unigram, WordPiece and WordLevel on vocabularies small enough to see why, and on words made to be slow.
#include <cmath>
#include <ctime>

#include "golden.h"
#include "runtime/tokenizer/unigram.h"
#include "runtime/tokenizer/wordlevel.h"
#include "runtime/tokenizer/wordpiece.h"

namespace hearth {
namespace {

using Ids = std::vector<TokenId>;

std::unique_ptr<Vocabulary> make_vocabulary(const std::vector<std::string>& tokens) {
  auto vocabulary = std::make_unique<Vocabulary>();
  for (size_t id = 0; id < tokens.size(); ++id) vocabulary->set(static_cast<int64_t>(id), tokens[id]);
  return vocabulary;
}

Ids encode(const TokenModel& model, std::string_view piece) {
  Workspace workspace;
  Ids ids;
  model.encode(piece, workspace, ids);
  return ids;
}

TEST(Unigram, TakesThePathOfTheHighestSum) {
  const auto vocabulary = make_vocabulary({"<unk>", "a", "b", "c", "d", "cd", "ab", "abc", "abcd"});
  const UnigramModel model(*vocabulary, {0, 0, 0, 0, 0, 1, 2, 5, 10}, {.unk = 0}, {});
  EXPECT_EQ(encode(model, "abcd"), (Ids{8}));
  EXPECT_EQ(encode(model, "abcdacdxx"), (Ids{8, 1, 5, 0}));  // neighbouring unknown characters are one token
  EXPECT_EQ(encode(model, "xaéx"), (Ids{0, 1, 0}));
  const UnigramModel without(*vocabulary, {0, 0, 0, 0, 0, 1, 2, 5, 10}, {}, {});
  EXPECT_EQ(encode(without, "abcd"), (Ids{8}));
  EXPECT_THROW(encode(without, "xx"), Error);
}

TEST(Unigram, UnknownCharactersBecomeBytesWhenAllHaveTokens) {
  const auto vocabulary = make_vocabulary({"<unk>", "a", "<0xC3>", "<0xA9>"});
  const UnigramModel model(*vocabulary, {0, 0, 0, 0}, {.unk = 0, .byte_fallback = true}, {});
  EXPECT_EQ(encode(model, "aéa"), (Ids{1, 2, 3, 1}));
  EXPECT_EQ(encode(model, "aèa"), (Ids{1, 0, 1}));
  EXPECT_EQ(encode(model, "éè"), (Ids{0}));  // the run as a whole
}

TEST(Unigram, ControlTokensComeOutOfNoText) {
  const auto vocabulary = make_vocabulary({"<unk>", "<", "s", ">", "<s>"});
  const UnigramModel model(*vocabulary, {0, -1, -1, -1, 0}, {.unk = 0}, {true, false, false, false, true});
  EXPECT_EQ(encode(model, "<s>"), (Ids{1, 2, 3}));
}

TEST(Unigram, ScoresThatAreNoNumbersAreRefused) {
  const auto vocabulary = make_vocabulary({"<unk>", "a"});
  EXPECT_THROW(UnigramModel(*vocabulary, {0, NAN}, {.unk = 0}, {}), Error);
}

TEST(WordPiece, TakesTheLongestTokenFromTheLeft) {
  const auto vocabulary = make_vocabulary({"[UNK]", "un", "##aff", "##able", "##ab", "u", "é", "##é"});
  const WordPieceModel model(*vocabulary, {.unk = 0, .max_characters = 9}, {true});
  EXPECT_EQ(encode(model, "unaffable"), (Ids{1, 2, 3}));
  EXPECT_EQ(encode(model, "unaffab"), (Ids{1, 2, 4}));
  EXPECT_EQ(encode(model, "unaffx"), (Ids{0}));  // no way back from "##aff"
  EXPECT_EQ(encode(model, "éééééé"), (Ids{6, 7, 7, 7, 7, 7}));
  EXPECT_EQ(encode(model, "éééééééééé"), (Ids{0}));  // ten characters
  EXPECT_EQ(encode(model, "##ab"), (Ids{4}));        // as the reference
}

TEST(WordLevel, IsAWordOrUnknown) {
  const auto vocabulary = make_vocabulary({"<unk>", "the", "<s>"});
  const WordLevelModel model(*vocabulary, 0, {true, false, true});
  EXPECT_EQ(encode(model, "the"), (Ids{1}));
  EXPECT_EQ(encode(model, "thee"), (Ids{0}));
  EXPECT_EQ(encode(model, "<s>"), (Ids{0}));
  EXPECT_THROW(encode(WordLevelModel(*vocabulary, std::nullopt, {}), "thee"), Error);
}

TEST(Models, AWordOfAMegabyteTakesNearLinearTime) {
  std::vector<std::string> tokens = {"<unk>", "a", "##a", "b"};
  for (size_t length = 2; length <= 64; length *= 2) {
    tokens.push_back(std::string(length, 'a'));
    tokens.push_back("##" + std::string(length, 'a'));
  }
  const auto vocabulary = make_vocabulary(tokens);
  const UnigramModel unigram(*vocabulary, std::vector<double>(tokens.size(), -1), {.unk = 0}, {});
  const WordPieceModel wordpiece(*vocabulary, {.unk = 0, .max_characters = SIZE_MAX}, {});
  const WordLevelModel wordlevel(*vocabulary, 0, {});
  for (const std::string_view character : {"a", "x", "\u0300"}) {
    std::string word;
    while (word.size() < 1'000'000) word += character;
    for (const TokenModel* model :
         {static_cast<const TokenModel*>(&unigram), static_cast<const TokenModel*>(&wordpiece),
          static_cast<const TokenModel*>(&wordlevel)}) {
      const std::clock_t start = std::clock();
      EXPECT_FALSE(encode(*model, word).empty());
      EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 5.0) << character;
    }
  }
}

TEST(Models, TokensLongEnoughToSlowThemAreRefused) {
  const auto vocabulary = make_vocabulary({"<unk>", std::string(2000, 'a')});
  EXPECT_THROW(UnigramModel(*vocabulary, {0, 0}, {.unk = 0}, {}), Error);
  EXPECT_THROW(WordPieceModel(*vocabulary, {.unk = 0}, {}), Error);
}

}  // namespace
}  // namespace hearth
