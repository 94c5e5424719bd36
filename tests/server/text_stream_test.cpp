#include "server/text_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/list_tokenizer.h"

namespace hearth {
namespace {

using testing::ElementsAre;

constexpr auto kNow = std::chrono::milliseconds(0);

struct Result {
  std::vector<std::string> pieces;
  std::string text, tokens;  // tokens: concatenated bytes of the log-probability entries
  std::vector<std::string> token_list;
  std::vector<size_t> offsets;
  FinishReason reason = FinishReason::kError;
  int completion_tokens = 0;
  bool cancelled = false;
  std::string stop;
};

// Runs tokens of these texts through a TextStream, taking what is ready after each of them.
Result run(const std::vector<std::string>& tokens, TextStreamOptions options,
           FinishReason reason = FinishReason::kLength, std::vector<std::string> control = {}) {
  auto stream = std::make_shared<Stream>();
  TextStream text(stream, std::make_shared<test::ListTokenizer>(tokens, control), options);
  Result result;
  const auto take = [&] {
    while (std::optional<TextEvent> event = text.next(kNow)) {
      if (event->kind == TextEvent::Kind::kText) {
        result.pieces.push_back(event->text);
        result.text += event->text;
        for (const TextLogprob& entry : event->logprobs) {
          result.tokens += entry.token.bytes;
          result.token_list.push_back(entry.token.bytes);
          result.offsets.push_back(entry.text_offset);
        }
      } else {
        result.reason = event->finish_reason;
        result.completion_tokens = event->completion_tokens;
        result.stop = event->stop;
      }
    }
  };
  for (size_t i = 0; i < tokens.size() + control.size(); ++i) {
    StreamEvent event;
    event.token.id = static_cast<TokenId>(i);
    stream->push(event);
    take();
  }
  StreamEvent last;
  last.kind = StreamEvent::Kind::kFinished;
  last.finish_reason = stream->cancelled() ? FinishReason::kCancelled : reason;
  last.completion_tokens = static_cast<int>(tokens.size() + control.size());
  stream->push(last);
  take();
  result.cancelled = stream->cancelled();
  return result;
}

// Every way to cut `text` into tokens, one bit for each place between two bytes.
std::vector<std::string> split(const std::string& text, uint32_t cuts) {
  std::vector<std::string> tokens(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (i > 0 && (cuts >> (i - 1) & 1)) tokens.emplace_back();
    tokens.back() += text[i];
  }
  return tokens;
}

TEST(TextStream, EverySplitIntoTokensGivesTheSameTextAndEndsBeforeTheStopString) {
  struct Case {
    std::string text;
    std::vector<std::string> stop;
    std::string expected;
    bool stopped;
    std::string by = {};
  };
  const Case cases[] = {
      {"\xC3\xA9STOPxy", {"STOP"}, "\xC3\xA9", true, "STOP"},
      {"aSTOSTOPx", {"STOP"}, "aSTO", true, "STOP"},
      {"aaab", {"aab"}, "a", true, "aab"},
      {"abcde", {"zz", "cd", "bcx"}, "ab", true, "cd"},
      {"one STO", {"STOP"}, "one STO", false},
      {"\xE4\xBD\xA0\xE5\xA5\xBD!", {"\xE5\xA5\xBD"}, "\xE4\xBD\xA0", true, "\xE5\xA5\xBD"},
      {"STOPabc", {"STOP"}, "", true, "STOP"},
      {"x\xF0\x9F\xA6\x89y", {}, "x\xF0\x9F\xA6\x89y", false},
  };
  for (const Case& c : cases) {
    for (uint32_t cuts = 0; cuts < (1u << (c.text.size() - 1)); ++cuts) {
      const std::vector<std::string> tokens = split(c.text, cuts);
      const Result result = run(tokens, {.stop = c.stop, .logprobs = true});
      ASSERT_EQ(result.text, c.expected) << c.text << " " << cuts;
      ASSERT_EQ(result.reason, c.stopped ? FinishReason::kStop : FinishReason::kLength);
      ASSERT_EQ(result.cancelled, c.stopped);
      ASSERT_EQ(result.stop, c.by);
      // Entries cover the text: whole tokens, none that begins behind it.
      ASSERT_TRUE(result.tokens.starts_with(c.expected)) << c.text << " " << cuts;
      if (!c.stopped) {
        ASSERT_EQ(result.token_list, tokens);
      }
    }
  }
}

TEST(TextStream, HoldsBackOnlyWhatMayBecomeAStopString) {
  EXPECT_THAT(run({"a", "S", "b", "ST", "O", "x"}, {.stop = {"STOP"}}).pieces, ElementsAre("a", "Sb", "STOx"));
}

TEST(TextStream, DeliversLogprobsWithTheTextOfTheirTokens) {
  const Result result = run({"a", "\xF0\x9F", "\xA6\x89", "b"}, {.logprobs = true});
  EXPECT_THAT(result.pieces, ElementsAre("a", "\xF0\x9F\xA6\x89", "b"));
  EXPECT_THAT(result.token_list, ElementsAre("a", "\xF0\x9F", "\xA6\x89", "b"));
  EXPECT_THAT(result.offsets, ElementsAre(0, 1, 1, 2));
}

TEST(TextStream, DropsTheEntriesOfAStopStringAndCountsItsTokens) {
  const Result result = run({"hi", "ST", "OP", "never"}, {.stop = {"STOP"}, .logprobs = true});
  EXPECT_THAT(result.token_list, ElementsAre("hi"));
  EXPECT_EQ(result.completion_tokens, 3);
}

TEST(TextStream, ControlTokensAddNoTextButHaveEntries) {
  const Result result = run({"hi"}, {.logprobs = true}, FinishReason::kStop, {"<|im_end|>"});
  EXPECT_EQ(result.text, "hi");
  EXPECT_THAT(result.token_list, ElementsAre("hi", "<|im_end|>"));
  EXPECT_EQ(result.reason, FinishReason::kStop);
}

TEST(TextStream, LooksForNoStopStringBeforeMinTokens) {
  EXPECT_EQ(run({"STOP", "a", "STOP", "b"}, {.stop = {"STOP"}, .min_tokens = 2}).text, "STOPa");
}

TEST(TextStream, BytesThatNeverBecomeACharacterAreReplacedAtTheEnd) {
  const Result result = run({"a", "\xF0\x9F"}, {.logprobs = true});
  EXPECT_EQ(result.text, "a\xEF\xBF\xBD");
  EXPECT_THAT(result.token_list, ElementsAre("a", "\xF0\x9F"));
}

TEST(TextStream, CancelsWhatIsDroppedUnfinished) {
  auto stream = std::make_shared<Stream>();
  { TextStream text(stream, std::make_shared<test::ListTokenizer>(std::vector<std::string>{"a"})); }
  EXPECT_TRUE(stream->cancelled());
}

}  // namespace
}  // namespace hearth
