// Tools over HTTP: a model that knows nothing calls what it must, with arguments of the tool's schema, and a client
// sees OpenAI's objects.
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/test_app.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using test::HttpAnswer;
using test::TestApp;
using testing::HasSubstr;

const ordered_json kTools = ordered_json::parse(R"([
  {"type": "function", "function": {"name": "pick", "strict": true, "parameters": {"type": "object",
    "properties": {"color": {"enum": ["red", "blue"]}, "count": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["color", "count"], "additionalProperties": false}}},
  {"type": "function", "function": {"name": "stop"}}])");

class ToolCalls : public testing::TestWithParam<const char*> {
 protected:
  // The tiny model's template shows no tools; the format in which it calls is configured.
  ToolCalls() : daemon([this](AppOptions& options) { options.tool_call_parser = GetParam(); }, 2048) {}

  ordered_json body(const std::string& fields, int seed = 1) const {
    ordered_json out = {{"model", "tiny"},   {"messages", {{{"role", "user"}, {"content", "a"}}}},
                        {"max_tokens", 300}, {"temperature", 1.0},
                        {"seed", seed},      {"tools", kTools}};
    out.update(ordered_json::parse(fields));
    return out;
  }
  ordered_json choice(const ordered_json& request) const {
    const HttpAnswer answer = daemon.post("/v1/chat/completions", request);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json()["choices"][0];
  }

  TestApp daemon;
};

void expect_call(const ordered_json& call) {
  EXPECT_EQ(call["type"], "function");
  EXPECT_FALSE(call["id"].get<std::string>().empty());
  const ordered_json arguments = ordered_json::parse(call["function"]["arguments"].get<std::string>());
  if (call["function"]["name"] == "pick") {
    EXPECT_EQ(arguments.size(), 2u);
    EXPECT_THAT(arguments["color"].get<std::string>(), testing::AnyOf("red", "blue"));
    EXPECT_GE(arguments["count"], 1);
    EXPECT_LE(arguments["count"], 9);
  } else {
    EXPECT_EQ(call["function"]["name"], "stop");
    EXPECT_EQ(arguments, ordered_json::object());
  }
}

TEST_P(ToolCalls, RequiredMeansThatThereAreCallsAndNothingElse) {
  int whole = 0;
  for (int seed = 0; seed < 10; ++seed) {
    const ordered_json one = choice(body(R"({"tool_choice": "required"})", seed));
    if (one["finish_reason"] == "length") continue;
    ++whole;
    EXPECT_EQ(one["finish_reason"], "tool_calls");
    EXPECT_TRUE(one["message"]["content"].is_null()) << one;
    ASSERT_FALSE(one["message"]["tool_calls"].empty());
    for (const ordered_json& call : one["message"]["tool_calls"]) expect_call(call);
  }
  EXPECT_GT(whole, 1);
}

TEST_P(ToolCalls, ANamedToolIsTheOneThatIsCalled) {
  const std::string pick =
      R"({"parallel_tool_calls": false, "tool_choice": {"type": "function", "function": {"name": "pick"}}})";
  const std::string allowed =
      R"({"parallel_tool_calls": false, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "pick"}}]}}})";
  for (const std::string& fields : {pick, allowed}) {
    for (int seed = 0; seed < 5; ++seed) {
      const ordered_json one = choice(body(fields, seed));
      ASSERT_EQ(one["finish_reason"], "tool_calls") << one;
      ASSERT_EQ(one["message"]["tool_calls"].size(), 1u);
      EXPECT_EQ(one["message"]["tool_calls"][0]["function"]["name"], "pick");
      expect_call(one["message"]["tool_calls"][0]);
    }
  }
}

TEST_P(ToolCalls, AStreamSaysTheSameWithIdsAndNamesOnce) {
  ordered_json request = body(R"({"tool_choice": "required", "temperature": 0})");
  const ordered_json whole = choice(request);
  request["stream"] = true;
  const HttpAnswer answer = daemon.post("/v1/chat/completions", request);
  ordered_json calls = ordered_json::array();
  std::string reason;
  for (const std::string& event : answer.events()) {
    if (event == "[DONE]") continue;
    const ordered_json one = ordered_json::parse(event)["choices"][0];
    if (!one["finish_reason"].is_null()) reason = one["finish_reason"];
    for (const ordered_json& delta : one["delta"].value("tool_calls", ordered_json::array())) {
      const size_t index = delta["index"];
      if (index == calls.size()) {
        EXPECT_EQ(delta["function"]["arguments"], "");
        calls.push_back(delta);
        continue;
      }
      ASSERT_EQ(index + 1, calls.size());
      EXPECT_FALSE(delta.contains("id") || delta.contains("type") || delta["function"].contains("name")) << delta;
      calls[index]["function"]["arguments"] =
          calls[index]["function"]["arguments"].get<std::string>() + delta["function"]["arguments"].get<std::string>();
    }
  }
  EXPECT_EQ(reason, whole["finish_reason"]);
  ASSERT_EQ(calls.size(), whole["message"]["tool_calls"].size());
  std::set<std::string> ids;
  for (size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(calls[i]["function"], whole["message"]["tool_calls"][i]["function"]);
    ids.insert(calls[i]["id"].get<std::string>());
  }
  EXPECT_EQ(ids.size(), calls.size());
}

TEST_P(ToolCalls, WithoutToolsNothingIsACall) {
  for (const char* fields : {R"({"tool_choice": "none"})", R"({"tools": []})"}) {
    const ordered_json one = choice(body(fields));
    EXPECT_FALSE(one["message"].contains("tool_calls")) << one;
  }
}

TEST_P(ToolCalls, AConversationWithCallsAndResultsIsRendered) {
  const ordered_json messages = ordered_json::parse(R"([{"role": "user", "content": "a"},
    {"role": "assistant", "content": null, "reasoning_content": "b", "tool_calls": [{"id": "call_1", "type": "function",
      "function": {"name": "pick", "arguments": "{\"color\": \"red\", \"count\": 3}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "abc"}])");
  const HttpAnswer answer =
      daemon.post("/apply-template", {{"model", "tiny"}, {"messages", messages}, {"tools", kTools}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  const std::string prompt = answer.json()["prompt"];
  for (const char* part : {"pick", "red", "abc"}) EXPECT_THAT(prompt, HasSubstr(part));
}

INSTANTIATE_TEST_SUITE_P(Formats, ToolCalls,
                         testing::Values("default", "hermes", "qwen3_coder", "mistral", "pythonic"));

class ToolErrors : public testing::Test {
 protected:
  HttpAnswer ask(const std::string& fields) const {
    ordered_json body = {{"model", "tiny"}, {"messages", {{{"role", "user"}, {"content", "a"}}}}, {"max_tokens", 20}};
    body.update(ordered_json::parse(fields));
    return daemon.post("/v1/chat/completions", body);
  }
  TestApp daemon;
};

TEST_F(ToolErrors, WhatCannotBeEnforcedIsRefused) {
  const auto param = [&](const std::string& fields) {
    const HttpAnswer answer = ask(fields);
    EXPECT_EQ(answer.status, 400) << answer.body;
    return answer.json()["error"].value("param", "");
  };
  EXPECT_EQ(
      param(
          R"({"tools": [{"type": "function", "function": {"name": "f", "strict": true, "parameters": {"type": "object",
      "properties": {"a": {"type": "string", "contentEncoding": "base64"}}}}}]})"),
      "/tools/0/function/parameters/properties/a/contentEncoding");
  EXPECT_EQ(param(R"({"tool_choice": "required"})"), "tool_choice");
  EXPECT_EQ(
      param(
          R"({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "function", "function": {"name": "g"}}})"),
      "tool_choice.function.name");
  EXPECT_EQ(
      param(
          R"({"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "f"}}]})"),
      "tools[1].function.name");
  EXPECT_EQ(param(R"({"reasoning_effort": "enormous"})"), "reasoning_effort");
}

TEST_F(ToolErrors, TheOlderFieldsAreAnsweredInKind) {
  const HttpAnswer answer = ask(R"({"functions": [{"name": "f"}], "function_call": {"name": "f"}, "max_tokens": 100})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const ordered_json one = answer.json()["choices"][0];
  EXPECT_EQ(one["finish_reason"], "function_call");
  EXPECT_EQ(one["message"]["function_call"]["name"], "f");
  EXPECT_EQ(ordered_json::parse(one["message"]["function_call"]["arguments"].get<std::string>()),
            ordered_json::object());
}

}  // namespace
}  // namespace hearth
