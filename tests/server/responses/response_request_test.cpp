// What a request of the responses API becomes as a chat request, and by which names it is refused.
#include "server/responses/response_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/api_error.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

ResponseRequest read(const std::string& fields) {
  const ordered_json body = ordered_json::parse(R"({"model": "m", )" + fields + "}");
  return read_response_request(JsonReader(body), nullptr, "");
}

ordered_json messages(const std::string& fields) { return read(fields).chat.conversation.messages; }

// "CODE PARAM"
std::string refusal(const std::string& fields) {
  try {
    read(fields);
  } catch (const ApiError& error) {
    const std::string& param = error.details().param;
    EXPECT_THAT(error.what(), HasSubstr("'" + param + "'"));
    return error.details().code + " " + param;
  }
  return "";
}

TEST(ResponseRequest, ATextIsTheUsersMessage) {
  EXPECT_EQ(messages(R"("input": "hi", "instructions": "Be brief")"),
            ordered_json::parse(R"([{"role": "system", "content": "Be brief"}, {"role": "user", "content": "hi"}])"));
}

TEST(ResponseRequest, ATurnOfTheAssistantIsOneMessage) {
  const ordered_json got = messages(R"("input": [
    {"role": "developer", "content": "d"},
    {"type": "message", "role": "user", "content": [
      {"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
    {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "think"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "let me see"}]},
    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"x\": 1}"},
    {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "one"},
    {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    {"role": "user", "content": "and?"}])");
  ASSERT_EQ(got.size(), 7u) << got;
  EXPECT_EQ(got[0], ordered_json::parse(R"({"role": "developer", "content": "d"})"));
  EXPECT_EQ(got[1]["content"], "a\nb");
  EXPECT_EQ(got[2]["content"], "let me see");
  EXPECT_EQ(got[2]["reasoning_content"], "think");
  ASSERT_EQ(got[2]["tool_calls"].size(), 2u);
  EXPECT_EQ(got[2]["tool_calls"][0]["function"]["arguments"], ordered_json::parse(R"({"x": 1})"));
  EXPECT_EQ(got[3], ordered_json::parse(R"({"role": "tool", "content": "one", "tool_call_id": "c1"})"));
  EXPECT_EQ(got[4]["content"], "two");
  EXPECT_EQ(got[5]["content"], "no");
}

TEST(ResponseRequest, ReasoningThatNothingFollowsIsLeftOut) {
  const ordered_json got = messages(R"("input": [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}]}, {"role": "user", "content": "x"}])");
  EXPECT_EQ(got, ordered_json::parse(R"([{"role": "user", "content": "x"}])"));
}

TEST(ResponseRequest, FieldsBecomeTheChatsOwn) {
  const ResponseRequest got = read(R"("input": "x", "max_output_tokens": 7, "temperature": 0.5, "top_k": 3, "seed": 1,
    "include": ["message.output_text.logprobs"], "top_logprobs": 2, "stream": true, "stop": ["z"],
    "text": {"format": {"type": "json_schema", "name": "n", "strict": true, "schema": {"type": "object"}}},
    "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": null}],
    "metadata": {"k": "v"})");
  EXPECT_EQ(got.chat.generation.max_tokens, 7);
  EXPECT_EQ(got.chat.generation.top_k, 3);
  EXPECT_EQ(got.chat.generation.top_logprobs, 2);
  EXPECT_TRUE(got.chat.generation.stream);
  EXPECT_EQ(got.chat.generation.stop, std::vector<std::string>{"z"});
  ASSERT_TRUE(got.chat.generation.format);
  EXPECT_EQ(got.chat.generation.format->value, ordered_json::parse(R"({"type": "object"})"));
  EXPECT_EQ(got.chat.conversation.tools, ordered_json::parse(R"([{"type": "function", "function":
    {"name": "f", "description": "d", "parameters": {"type": "object"}}}])"));
  EXPECT_EQ(got.repeated["tools"], ordered_json::parse(R"([{"type": "function", "name": "f", "description": "d",
    "parameters": {"type": "object"}, "strict": null}])"));
  EXPECT_EQ(got.repeated["metadata"]["k"], "v");
  EXPECT_EQ(got.repeated["text"]["format"]["name"], "n");
  EXPECT_FALSE(got.store);  // nothing keeps it
}

TEST(ResponseRequest, ImagesArePartsAndAreKept) {
  const ResponseRequest got = read(R"("input": [
    {"role": "user", "content": [{"type": "input_text", "text": "a"},
                                 {"type": "input_image", "image_url": "data:,x", "detail": "low"}]},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "file_id": "file-1"}]}])");
  EXPECT_EQ(got.chat.conversation.messages[0]["content"],
            ordered_json::parse(R"([{"type": "text", "text": "a"}, {"type": "image"}])"));
  ASSERT_EQ(got.chat.conversation.images.size(), 2u);
  EXPECT_EQ(got.names.original(got.chat.conversation.images[0].field), "input[0].content[1].image_url");
  EXPECT_EQ(got.names.original(got.chat.conversation.images[1].field), "input[2].output[0].file_id");
  EXPECT_EQ(got.input[0].item["content"][1],
            ordered_json::parse(R"({"type": "input_image", "detail": "low", "image_url": "data:,x"})"));
}

TEST(ResponseRequest, RefusalsNameWhatTheClientSent) {
  EXPECT_EQ(refusal(R"("input": "x", "truncation": "auto")"), "unsupported_parameter truncation");
  EXPECT_EQ(refusal(R"("instructions": "x")"), "missing_required_parameter input");
  EXPECT_EQ(refusal(R"("input": [])"), "invalid_value input");
  EXPECT_EQ(refusal(R"("input": 5)"), "invalid_value input");
  EXPECT_EQ(refusal(R"("input": [5])"), "invalid_value input[0]");
  EXPECT_EQ(refusal(R"("input": [{"role": "tool", "content": "x"}])"), "invalid_value input[0].role");
  EXPECT_EQ(refusal(R"("input": [{"role": "user"}])"), "missing_required_parameter input[0].content");
  EXPECT_EQ(refusal(R"("input": [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}])"),
            "invalid_value input[0].content[0].image_url");
  EXPECT_EQ(refusal(R"("input": [{"role": "user", "content": [{"type": "input_image"}]}])"),
            "missing_required_parameter input[0].content[0].image_url");
  EXPECT_EQ(refusal(R"("input": [{"role": "user", "content": [
              {"type": "input_image", "file_id": "f", "detail": "huge"}]}])"),
            "invalid_value input[0].content[0].detail");
  EXPECT_EQ(refusal(R"("input": [{"role": "system", "content": [{"type": "input_image", "file_id": "f"}]}])"),
            "unsupported_parameter input[0].content[0].type");
  EXPECT_EQ(refusal(R"("input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}])"),
            "unsupported_parameter input[0].content[0].type");
  EXPECT_EQ(refusal(R"("input": [{"role": "user", "content": [{"type": "output_text", "text": "u"}]}])"),
            "invalid_value input[0].content[0].type");
  EXPECT_EQ(refusal(R"("input": [{"type": "web_search_call"}])"), "unsupported_parameter input[0].type");
  EXPECT_EQ(refusal(R"("input": [{"type": "item_reference", "id": "msg_x"}])"), "invalid_value input[0].id");
  EXPECT_EQ(refusal(R"("input": [{"role": "user", "id": 5, "content": "x"}])"), "invalid_value input[0].id");
  EXPECT_EQ(refusal(R"("input": [{"type": "function_call", "name": "f", "arguments": "{}"}])"),
            "missing_required_parameter input[0].call_id");
  EXPECT_EQ(refusal(R"("input": "x", "tools": [{"type": "web_search"}])"), "unsupported_parameter tools[0].type");
  EXPECT_EQ(refusal(R"("input": "x", "tools": [{"type": "function"}])"), "missing_required_parameter tools[0].name");
  EXPECT_EQ(refusal(R"("input": "x", "tools": [{"type": "function", "name": "f", "parameters": 1}])"),
            "invalid_value tools[0].parameters");
  EXPECT_EQ(refusal(R"("input": "x", "tool_choice": "any")"), "invalid_value tool_choice");
  EXPECT_EQ(refusal(R"("input": "x", "tool_choice": {"type": "mcp"})"), "unsupported_parameter tool_choice.type");
  EXPECT_EQ(refusal(R"("input": "x", "text": {"format": {"type": "json_schema", "schema": {}}})"),
            "missing_required_parameter text.format.name");
  EXPECT_EQ(refusal(R"("input": "x", "reasoning": {"effort": "huge"})"), "invalid_value reasoning.effort");
  EXPECT_EQ(refusal(R"("input": "x", "include": ["everything"])"), "invalid_value include[0]");
  EXPECT_EQ(refusal(R"("input": "x", "top_logprobs": 3)"), "invalid_value top_logprobs");
  EXPECT_EQ(refusal(R"("input": "x", "max_tokens": 3)"), "unsupported_parameter max_tokens");
  EXPECT_EQ(refusal(R"("input": "x", "n": 3)"), "unsupported_parameter n");
  EXPECT_EQ(refusal(R"("input": "x", "prompt": {"id": "p"})"), "unsupported_parameter prompt");
  EXPECT_EQ(refusal(R"("input": "x", "previous_response_id": "resp_1")"), "invalid_value previous_response_id");
  EXPECT_EQ(refusal(R"("input": "x", "background": true)"), "invalid_value background");
  EXPECT_EQ(refusal(R"("input": "x", "background": true, "store": false)"), "invalid_value background");
}

TEST(ResponseRequest, ErrorsOfTheChatRequestNameTheResponsesFields) {
  EXPECT_EQ(refusal(R"("input": "x", "max_output_tokens": 0)"), "invalid_value max_output_tokens");
  EXPECT_EQ(refusal(R"("input": "x", "temperature": 9)"), "invalid_value temperature");
  EXPECT_EQ(refusal(R"("input": "x", "tools": [{"type": "function", "name": "no name"}])"),
            "invalid_value tools[0].name");
  EXPECT_EQ(refusal(R"("input": "x", "text": {"format": {"type": "xml"}})"), "unsupported_parameter text.format.type");
  EXPECT_EQ(refusal(R"("instructions": "i", "input": [{"role": "user", "content": "x"}, {"type": "function_call",
    "call_id": "c", "name": "f", "arguments": "no"}])"),
            "invalid_value input[1].arguments");
}

TEST(ResponseRequest, WhateverAFieldIsItIsReadOrRefusedByItsName) {
  const ordered_json good = ordered_json::parse(R"({"model": "m", "instructions": "i", "input": [
      {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
      {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "t"}], "content": null},
      {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
      {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "id": "fc_1"},
      {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "two"}]}],
    "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}],
    "tool_choice": "auto", "parallel_tool_calls": true, "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
    "include": ["message.output_text.logprobs"], "top_logprobs": 2, "metadata": {"a": "b"}, "store": true,
    "stream": false, "background": false, "truncation": "disabled", "max_output_tokens": 5, "temperature": 0.5,
    "top_p": 1, "stop": ["x"], "logit_bias": {"1": 2}, "previous_response_id": null, "user": "u", "n": 1})");
  const ordered_json others = ordered_json::parse(
      R"([null, true, 5, -1.5, 1e300, "", "x", [], [null], [5], ["x"], [{}], {},
          {"a": 1}, {"type": "x"}, {"id": "y"}])");
  read_response_request(JsonReader(good), nullptr, "");
  int refused = 0;
  const ordered_json fields = good.flatten();
  for (const auto& [pointer, value] : fields.items()) {
    for (ordered_json::json_pointer at(pointer); !at.empty(); at.pop_back())
      for (const ordered_json& other : others) {
        ordered_json body = good;
        body[at] = other;
        try {
          read_response_request(JsonReader(body), nullptr, "");
        } catch (const ApiError& error) {
          ++refused;
          const std::string& param = error.details().param;
          EXPECT_EQ(error_reply(error).status, 400);
          EXPECT_TRUE(good.contains(param.substr(0, param.find_first_of(".[")))) << at << " " << other << " " << param;
        }
      }
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace hearth
