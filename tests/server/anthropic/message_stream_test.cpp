// How pieces of an answer become Anthropic's events and blocks; no model of these tests thinks or calls.
#include "server/anthropic/message_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/anthropic/message_object.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ChatPiece::Kind;
using testing::ElementsAre;

struct Text : BodyWriter {
  bool write(std::string_view data) override {
    text += data;
    return --writes_left > 0;
  }
  std::string text;
  int writes_left = 1000;
};

const ChatPiece kPieces[] = {
    {.kind = Kind::kReasoning, .text = "hm"},
    {.kind = Kind::kReasoning, .text = "m"},
    {.kind = Kind::kText, .text = "I look."},
    {.kind = Kind::kCall, .text = "weather", .call = 0, .call_id = "t1"},
    {.kind = Kind::kArguments, .text = R"({"city":)", .call = 0},
    {.kind = Kind::kArguments, .text = R"("Oslo"})", .call = 0},
    {.kind = Kind::kCall, .text = "time", .call = 1, .call_id = "t2"},
};

// One line an event: its type, index and what it brings.
std::vector<std::string> short_events(const std::string& text) {
  std::vector<std::string> events;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find("\n\n", at), line = text.find('\n', at);
    const std::string type = text.substr(at + 7, line - at - 7);
    const Json data = Json::parse(text.substr(line + 7, end - line - 7));
    EXPECT_EQ(text.substr(at, 7) + text.substr(line + 1, 6), "event: data: ");
    EXPECT_EQ(data["type"], type);
    std::string shown = type;
    if (data.contains("index")) shown += " " + data["index"].dump();
    for (const char* key : {"content_block", "delta", "usage"})
      if (data.contains(key)) shown += " " + data[key].dump();
    events.push_back(shown);
    at = end + 2;
  }
  return events;
}

TEST(AnthropicStream, OpensAndClosesBlockAfterBlock) {
  Text body;
  anthropic::MessageStream events(body);
  EXPECT_TRUE(events.start(Json::object()));
  for (const ChatPiece& piece : kPieces) EXPECT_TRUE(events.take(piece));
  EXPECT_TRUE(events.finish(anthropic::stop_of("tool_calls", "", {}), {{"output_tokens", 9}}));
  EXPECT_THAT(
      short_events(body.text),
      ElementsAre(
          "message_start", "ping", R"(content_block_start 0 {"type":"thinking","thinking":"","signature":""})",
          R"(content_block_delta 0 {"type":"thinking_delta","thinking":"hm"})",
          R"(content_block_delta 0 {"type":"thinking_delta","thinking":"m"})",
          R"(content_block_delta 0 {"type":"signature_delta","signature":""})", "content_block_stop 0",
          R"(content_block_start 1 {"type":"text","text":""})",
          R"(content_block_delta 1 {"type":"text_delta","text":"I look."})", "content_block_stop 1",
          R"(content_block_start 2 {"type":"tool_use","id":"t1","name":"weather","input":{}})",
          R"(content_block_delta 2 {"type":"input_json_delta","partial_json":"{\"city\":"})",
          R"(content_block_delta 2 {"type":"input_json_delta","partial_json":"\"Oslo\"}"})", "content_block_stop 2",
          R"(content_block_start 3 {"type":"tool_use","id":"t2","name":"time","input":{}})", "content_block_stop 3",
          R"(message_delta {"stop_reason":"tool_use","stop_sequence":null} {"output_tokens":9})", "message_stop"));
}

TEST(AnthropicStream, SaysSoWhenTheClientIsGone) {
  for (int writes = 1; writes < 18; ++writes) {
    Text body;
    body.writes_left = writes;
    anthropic::MessageStream events(body);
    bool there = events.start(Json::object());
    for (const ChatPiece& piece : kPieces) there = there && events.take(piece);
    EXPECT_FALSE(there && events.finish(anthropic::stop_of("stop", "", {}), Json::object())) << writes;
  }
}

TEST(AnthropicStream, TheWholeMessageHasTheSameBlocks) {
  ChatMessage message;
  for (const ChatPiece& piece : kPieces) message.take(piece);
  EXPECT_EQ(anthropic::content_of(message), Json::parse(R"([{"type": "thinking", "thinking": "hmm", "signature": ""},
    {"type": "text", "text": "I look."}, {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}},
    {"type": "tool_use", "id": "t2", "name": "time", "input": {}}])"));
  EXPECT_EQ(anthropic::content_of({}), Json::array());
  message.calls[0].arguments = R"({"city": "Os)";
  EXPECT_EQ(anthropic::content_of(message)[2]["input"], Json::parse(R"({"arguments": "{\"city\": \"Os"})"));
}

TEST(AnthropicMessage, WhyItEnded) {
  const auto reason = [](std::string_view finish, const std::string& stop) {
    const Json out = anthropic::stop_of(finish, stop, {"X"});
    return out["stop_reason"].get<std::string>() + " " + out["stop_sequence"].dump();
  };
  EXPECT_EQ(reason("stop", ""), "end_turn null");
  EXPECT_EQ(reason("stop", "<|im_end|>"), "end_turn null") << "the template's own";
  EXPECT_EQ(reason("stop", "X"), R"(stop_sequence "X")");
  EXPECT_EQ(reason("length", ""), "max_tokens null");
  EXPECT_EQ(reason("tool_calls", ""), "tool_use null");
}

}  // namespace
}  // namespace hearth
