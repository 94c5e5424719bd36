// response_format and its kin over HTTP: answers are of the format from the first token on, whole or cut at max_tokens.
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

class OutputFormats : public testing::Test {
 protected:
  static void SetUpTestSuite() { daemon = new TestApp(); }
  static void TearDownTestSuite() { delete daemon; }

  static HttpAnswer ask(const std::string& fields, int seed = 1) {
    ordered_json body = {
        {"model", "tiny"}, {"prompt", "abc"}, {"max_tokens", 120}, {"temperature", 1.5}, {"seed", seed}};
    body.update(ordered_json::parse(fields));
    return daemon->post("/v1/completions", body);
  }
  static ordered_json choice(const HttpAnswer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json()["choices"][0];
  }
  static inline TestApp* daemon = nullptr;
};

TEST_F(OutputFormats, ATinyModelThatKnowsNothingWritesWhatTheSchemaAllows) {
  int whole = 0;
  for (int seed = 0; seed < 20; ++seed) {
    const ordered_json one =
        choice(ask(R"({"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema":
        {"type": "object", "properties": {"name": {"type": "string", "maxLength": 6}, "age": {"type": "integer", "minimum": 0, "maximum": 9},
         "kind": {"enum": ["a", "b"]}}, "required": ["name", "age", "kind"], "additionalProperties": false}}}})",
                   seed));
    if (one["finish_reason"] == "length") continue;
    ++whole;
    EXPECT_EQ(one["finish_reason"], "stop");
    const ordered_json value = ordered_json::parse(one["text"].get<std::string>());
    EXPECT_EQ(value.size(), 3u);
    EXPECT_LE(value["age"], 9);
    EXPECT_THAT(value["kind"].get<std::string>(), testing::AnyOf("a", "b"));
  }
  EXPECT_GT(whole, 10);
}

TEST_F(OutputFormats, EachOfTheOthers) {
  EXPECT_THAT(choice(ask(R"({"guided_choice": ["yes", "no"]})"))["text"], testing::AnyOf("yes", "no"));
  EXPECT_THAT(choice(ask(R"({"guided_regex": "^[ab]{3}$"})"))["text"].get<std::string>(),
              testing::MatchesRegex("[ab][ab][ab]"));
  EXPECT_EQ(choice(ask(R"({"grammar": "root ::= \"on\" \"e\""})"))["text"], "one");
  EXPECT_EQ(choice(ask(R"({"structured_outputs": {"choice": ["only"]}})"))["text"], "only");
  EXPECT_EQ(choice(ask(R"({"guided_json": "{\"const\": 7}"})"))["text"], "7");
  EXPECT_EQ(choice(ask(R"({"json_schema": {"type": "null"}})"))["text"], "null");
  EXPECT_TRUE(
      choice(ask(R"({"response_format": {"type": "json_object"}})"))["text"].get<std::string>().starts_with("{"));
}

TEST_F(OutputFormats, EveryAnswerHasItsOwnPlaceInTheGrammar) {
  const ordered_json all = ask(R"({"guided_regex": "^[a-z]{1,8}$", "n": 6})").json();
  ASSERT_EQ(all["choices"].size(), 6u) << all;
  for (const ordered_json& one : all["choices"])
    EXPECT_THAT(one["text"].get<std::string>(), testing::MatchesRegex("[a-z]+")) << all;
}

TEST_F(OutputFormats, LogprobsAreTheModelsOwn) {
  const ordered_json one = choice(ask(R"({"guided_choice": ["q"], "logprobs": 1, "temperature": 0})"));
  EXPECT_EQ(one["text"], "q");
  EXPECT_LT(one["logprobs"]["token_logprobs"][0], 0);
}

TEST_F(OutputFormats, WhatCannotBeEnforcedIsA400AtItsPlace) {
  const HttpAnswer refused = ask(
      R"({"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": {"properties": {"x": {"uniqueItems": true}}}}}})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.json()["error"]["param"], "/response_format/json_schema/schema/properties/x/uniqueItems");
  for (const auto& [fields, part] :
       std::vector<std::pair<const char*, const char*>>{{R"({"guided_regex": "("})", "')' is missing"},
                                                        {R"({"grammar": "root ::= ("})", "line 1, column"},
                                                        {R"({"guided_regex": "^[^\\s\\S]$"})", "no text matches"}}) {
    const HttpAnswer answer = ask(fields);
    EXPECT_EQ(answer.status, 400) << fields;
    EXPECT_THAT(answer.json()["error"]["message"].get<std::string>(), HasSubstr(part));
  }
}

}  // namespace
}  // namespace hearth
