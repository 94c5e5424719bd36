// What Anthropic's requests become as chat requests, and that complaints name Anthropic's fields.
#include "server/anthropic/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

Json body_with(const char* fields) {
  Json body = Json::parse(R"({"model": "m", "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}]})");
  body.update(Json::parse(fields));
  return body;
}

ChatRequest read(const char* fields) { return anthropic::read_message_request(JsonReader(body_with(fields))).chat; }

Json messages_of(const char* messages, const char* system = "null") {
  Json body = body_with("{}");
  body["messages"] = Json::parse(messages);
  body["system"] = Json::parse(system);
  return anthropic::read_message_request(JsonReader(body)).chat.conversation.messages;
}

// "param: message" of the refusal.
std::string refusal(const Json& body) {
  try {
    anthropic::read_message_request(JsonReader(body));
  } catch (const ApiError& error) {
    return error.details().param + ": " + error.what();
  }
  return "taken";
}
std::string refusal(const char* fields) { return refusal(body_with(fields)); }
std::string refusal_of_messages(const char* messages) {
  return refusal(std::string(R"({"messages": )").append(messages).append("}").c_str());
}

TEST(AnthropicRequest, SystemAndTurnsAreMessages) {
  EXPECT_EQ(messages_of(R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                            {"role": "user", "content": [{"type": "text", "text": "c", "cache_control": {}},
                                                         {"type": "text", "text": "d"}]}])",
                        R"([{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}])"),
            Json::parse(R"([{"role": "system", "content": "s"}, {"role": "user", "content": "a"},
                            {"role": "assistant", "content": "b"}, {"role": "user", "content": "c\nd"}])"));
  EXPECT_EQ(messages_of(R"([{"role": "user", "content": "a"}])", R"("s")")[0]["content"], "s");
}

TEST(AnthropicRequest, ConsecutiveTurnsOfARoleAreOne) {
  EXPECT_EQ(
      messages_of(R"([{"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]},
                            {"role": "assistant", "content": "c"}, {"role": "assistant", "content": "d"},
                            {"role": "user", "content": "e"}])"),
      Json::parse(R"([{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": "c\nd"},
                            {"role": "user", "content": "e"}])"));
}

TEST(AnthropicRequest, AToolRoundTrip) {
  const Json messages = messages_of(R"([
    {"role": "user", "content": "weather?"},
    {"role": "assistant", "content": [
      {"type": "thinking", "thinking": "I look.", "signature": "x"}, {"type": "redacted_thinking", "data": "zzz"},
      {"type": "text", "text": "Looking."},
      {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}},
      {"type": "tool_use", "id": "t2", "name": "time", "input": {}}]},
    {"role": "user", "content": [
      {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "4 degrees"}]},
      {"type": "tool_result", "tool_use_id": "t2", "content": "no clock", "is_error": true},
      {"type": "text", "text": "and?"}]}])");
  EXPECT_EQ(messages, Json::parse(R"([
    {"role": "user", "content": "weather?"},
    {"role": "assistant", "content": "Looking.", "tool_calls": [
      {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}},
      {"id": "t2", "type": "function", "function": {"name": "time", "arguments": {}}}], "reasoning_content": "I look."},
    {"role": "tool", "content": "4 degrees", "tool_call_id": "t1"},
    {"role": "tool", "content": "Error: no clock", "tool_call_id": "t2"},
    {"role": "user", "content": "and?"}])"));
}

TEST(AnthropicRequest, ALastTurnOfTheAssistantIsContinued) {
  const ChatRequest request =
      read(R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "Once"}]})");
  EXPECT_TRUE(request.conversation.continue_final_message);
  EXPECT_FALSE(request.conversation.add_generation_prompt);
  EXPECT_FALSE(read("{}").conversation.continue_final_message);
}

TEST(AnthropicRequest, FieldsOfTheAnswer) {
  const ChatRequest request = read(R"({"temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "seed": 7,
    "stop_sequences": ["X", "Y"], "stream": true, "metadata": {"user_id": "u"}, "max_tokens": 2000,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}})");
  const GenerationFields& fields = request.generation;
  EXPECT_EQ(fields.temperature, 0.5f);
  EXPECT_EQ(fields.top_p, 0.9f);
  EXPECT_EQ(fields.top_k, 40);
  EXPECT_EQ(fields.min_p, 0.1f);
  EXPECT_EQ(fields.seed, 7);
  EXPECT_EQ(fields.max_tokens, 2000);
  EXPECT_TRUE(fields.stream);
  EXPECT_THAT(fields.stop, testing::ElementsAre("X", "Y"));
  EXPECT_EQ(request.conversation.template_arguments, Json::parse(R"({"enable_thinking": true})"));
  ASSERT_TRUE(fields.format);
  EXPECT_EQ(fields.format->kind, OutputFormat::Kind::kJsonSchema);
  EXPECT_EQ(read(R"({"thinking": {"type": "disabled"}})").conversation.template_arguments["enable_thinking"], false);
  EXPECT_EQ(read(R"({"thinking": {"type": "adaptive"}})").conversation.template_arguments["enable_thinking"], true);
  EXPECT_TRUE(read(R"({"output_format": {"type": "json_schema", "schema": {}}})").generation.format);
}

TEST(AnthropicRequest, ToolsAreFunctions) {
  const Json tools = read(R"({"tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}},
                                        {"type": "custom", "name": "g", "input_schema": {}}]})")
                         .conversation.tools;
  EXPECT_EQ(tools[0]["type"], "function");
  EXPECT_EQ(tools[0]["function"]["name"], "f");
  EXPECT_EQ(tools[0]["function"]["description"], "d");
  EXPECT_EQ(tools[0]["function"]["parameters"], Json::parse(R"({"type": "object"})"));
  EXPECT_EQ(tools[1]["function"]["name"], "g");
  const char* none = R"({"tools": [{"name": "f", "input_schema": {}}], "tool_choice": {"type": "none"}})";
  EXPECT_TRUE(read(none).conversation.tools.is_null());
}

TEST(AnthropicRequest, RefusesWithAnthropicsNames) {
  EXPECT_THAT(refusal(R"({"max_tokens": null})"), HasSubstr("'max_tokens' is required"));
  EXPECT_THAT(refusal(R"({"max_tokens": 0})"), HasSubstr("max_tokens: 'max_tokens'"));
  EXPECT_THAT(refusal(R"({"model": null})"), HasSubstr("'model' is required"));
  EXPECT_THAT(refusal(R"({"messages": []})"), HasSubstr("messages: "));
  EXPECT_THAT(refusal(R"({"temperature": 1.5})"), HasSubstr("temperature: 'temperature': 1.5 is not in [0, 1]"));
  EXPECT_THAT(refusal(R"({"stop_sequences": "x"})"), HasSubstr("stop_sequences: "));
  EXPECT_THAT(refusal(R"({"stop_sequences": ["a", 1]})"),
              HasSubstr("stop_sequences[1]: 'stop_sequences[1]': expected a string"));
  EXPECT_THAT(refusal(R"({"system": [{"type": "image"}]})"), HasSubstr("system[0].type: "));
  EXPECT_THAT(refusal(R"({"container": "c"})"), HasSubstr("container: "));
  EXPECT_THAT(refusal(R"({"tools": [{"type": "web_search_20250305", "name": "web_search"}]})"),
              HasSubstr("tools[0].type: "));
  EXPECT_THAT(refusal(R"({"tools": [{"name": "f"}]})"), HasSubstr("tools[0].input_schema: "));
  EXPECT_THAT(refusal(R"({"tools": [{"name": "not one", "input_schema": {}}]})"),
              HasSubstr("tools[0].name: 'tools[0].name': "));
  EXPECT_THAT(refusal(R"({"tools": [{"name": "f", "input_schema": 3}]})"), HasSubstr("tools[0].input_schema: "));
  EXPECT_THAT(refusal(R"({"tool_choice": {"type": "some"}})"), HasSubstr("tool_choice.type: "));
  EXPECT_THAT(refusal(R"({"tool_choice": {"type": "tool"}})"), HasSubstr("tool_choice.name"));
  EXPECT_THAT(refusal(R"({"thinking": {"type": "enabled", "budget_tokens": 100}})"),
              HasSubstr("thinking.budget_tokens: "));
  EXPECT_THAT(refusal(R"({"thinking": {"type": "enabled", "budget_tokens": 2000}})"),
              HasSubstr("must be less than 'max_tokens'"));
  EXPECT_THAT(refusal(R"({"thinking": {"type": "deep"}})"), HasSubstr("thinking.type: "));
  EXPECT_THAT(refusal(R"({"output_config": {"effort": "huge"}})"), HasSubstr("output_config.effort: "));
  EXPECT_THAT(refusal(R"({"output_config": {"format": {"type": "xml"}}})"), HasSubstr("output_config.format.type: "));
  EXPECT_THAT(refusal(R"({"output_config": {"format": {"type": "json_schema", "schema": 1}}})"),
              HasSubstr("output_config.format.schema: 'output_config.format.schema': expected a JSON Schema"));
}

TEST(AnthropicRequest, ImagesKeepTheirPlacesAndNames) {
  Json body = body_with("{}");
  body["messages"] = Json::parse(R"([
    {"role": "user", "content": "a"},
    {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "is_error": true, "content": [
      {"type": "image", "source": {"type": "file", "file_id": "file-1"}}]}]}])");
  const anthropic::MessageRequest got = anthropic::read_message_request(JsonReader(body));
  const ConversationFields& read = got.chat.conversation;
  EXPECT_EQ(read.messages[0]["content"], Json::parse(R"([{"type": "text", "text": "a"}, {"type": "image"}])"));
  EXPECT_EQ(read.messages[2]["content"], Json::parse(R"([{"type": "text", "text": "Error: "}, {"type": "image"}])"));
  ASSERT_EQ(read.images.size(), 2u);
  EXPECT_EQ(std::get<ImageReference::Url>(read.images[0].source).text, "data:image/png;base64,aGk=");
  EXPECT_EQ(got.names.original(read.images[0].field), "messages[1].content[0].source.data");
  EXPECT_EQ(got.names.original(read.images[1].field), "messages[3].content[0].content[0].source.file_id");
}

TEST(AnthropicRequest, RefusesTurnsByTheirPlace) {
  const auto refused = [](const char* messages) { return refusal_of_messages(messages); };
  EXPECT_THAT(refused(R"([{"role": "robot", "content": "a"}])"), HasSubstr("messages[0].role: "));
  EXPECT_THAT(refused(R"([{"role": "user"}])"), HasSubstr("messages[0].content"));
  EXPECT_THAT(refused(R"([{"role": "user", "content": 3}])"), HasSubstr("messages[0].content: "));
  EXPECT_THAT(
      refused(R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image", "source": {}}]}])"),
      HasSubstr("messages[0].content[1].source.type: "));
  EXPECT_THAT(refused(R"([{"role": "user", "content": [{"type": "document"}]}])"),
              HasSubstr("messages[0].content[0].type: 'messages[0].content[0].type': blocks of type 'document'"));
  EXPECT_THAT(refused(R"([{"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "a"}}]}])"),
              HasSubstr("messages[0].content[0].source.media_type: "));
  EXPECT_THAT(refused(R"([{"role": "user", "content": "a"}, {"role": "user", "content": [
                {"type": "image", "source": {"type": "url", "url": "ftp://a"}}]}])"),
              HasSubstr("messages[1].content[0].source.url: "));
  EXPECT_THAT(refused(R"([{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}])"),
              HasSubstr("messages[0].content[0].type: "));
  EXPECT_THAT(refused(R"([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}])"),
              HasSubstr("messages[0].content[0].tool_use_id: "));
  EXPECT_THAT(
      refused(R"([{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": "{}"}]}])"),
      HasSubstr("messages[0].content[0].input: "));
  EXPECT_THAT(
      refused(R"([{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}])"),
      HasSubstr("messages: "));
}

}  // namespace
}  // namespace hearth
