#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/client/sse_reader.h"
#include "server/terminal_chat/message_reader.h"

namespace hearth {
namespace {

using testing::ElementsAre;

// The messages that lines make.
std::vector<std::string> messages(const std::vector<std::string>& lines) {
  MessageReader reader;
  std::vector<std::string> messages;
  for (const std::string& line : lines)
    if (auto message = reader.add(line)) messages.push_back(*message);
  EXPECT_FALSE(reader.pending());
  return messages;
}

TEST(MessageReader, OneLineIsOneMessage) { EXPECT_THAT(messages({"a", "", "b \" c"}), ElementsAre("a", "", "b \" c")); }

TEST(MessageReader, BackslashGoesOn) { EXPECT_THAT(messages({"a\\", "b\\", "c", "d"}), ElementsAre("a\nb\nc", "d")); }

TEST(MessageReader, QuotedBlockKeepsItsLines) {
  EXPECT_THAT(messages({"\"\"\"", "def f():\\", "", "  pass", "\"\"\"", "next"}),
              ElementsAre("def f():\\\n\n  pass", "next"));
  EXPECT_THAT(messages({"\"\"\"a", "b\"\"\""}), ElementsAre("a\nb"));
  EXPECT_THAT(messages({"\"\"\"one line\"\"\""}), ElementsAre("one line"));
}

TEST(MessageReader, ClearForgetsWhatWasBegun) {
  MessageReader reader;
  reader.add("\"\"\"");
  reader.add("a");
  EXPECT_TRUE(reader.pending());
  reader.clear();
  EXPECT_EQ(reader.add("b"), "b");
}

TEST(SseReader, EventsAreTheSameHoweverTheBytesAreCut) {
  const std::string stream = ": comment\r\ndata: {\"a\": 1}\n\nevent: x\ndata:two\ndata: lines\n\n\ndata: [DONE]\n\n";
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    std::vector<std::string> events;
    SseReader reader([&](const std::string& data) { events.push_back(data); });
    for (size_t i = 0; i < stream.size(); i += piece) reader.push(std::string_view(stream).substr(i, piece));
    EXPECT_THAT(events, ElementsAre("{\"a\": 1}", "two\nlines", "[DONE]")) << piece;
  }
}

}  // namespace
}  // namespace hearth
