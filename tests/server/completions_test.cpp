#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/test_app.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using test::HttpAnswer;
using test::TestApp;

class Completions : public testing::Test {
 protected:
  static void SetUpTestSuite() { daemon = new TestApp(); }
  static void TearDownTestSuite() { delete daemon; }
  static HttpAnswer send(const ordered_json& fields) {
    ordered_json body = {
        {"model", "tiny"}, {"prompt", "abc def"}, {"max_tokens", 6}, {"temperature", 0}, {"ignore_eos", true}};
    body.update(fields);
    return daemon->post("/v1/completions", body);
  }
  static ordered_json complete(const ordered_json& fields = ordered_json::object()) {
    const HttpAnswer answer = send(fields);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json();
  }
  static std::vector<int> tokenize(const std::string& text) {
    return daemon->post("/tokenize", {{"content", text}}).json()["tokens"].get<std::vector<int>>();
  }
  static inline TestApp* daemon = nullptr;
};

TEST_F(Completions, HaveOpenAisShape) {
  const ordered_json reply = complete();
  EXPECT_TRUE(reply["id"].get<std::string>().starts_with("cmpl-"));
  EXPECT_EQ(reply["object"], "text_completion");
  EXPECT_EQ(reply["choices"][0]["index"], 0);
  EXPECT_TRUE(reply["choices"][0]["logprobs"].is_null());
  EXPECT_EQ(reply["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(reply["usage"]["completion_tokens"], 6);
}

TEST_F(Completions, ChoicesAreOrderedByPrompt) {
  const ordered_json both = complete({{"prompt", {"abc", "xyz"}}, {"n", 2}});
  ASSERT_EQ(both["choices"].size(), 4u);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(both["choices"][i]["index"], i);
    EXPECT_EQ(both["choices"][i]["text"], complete({{"prompt", i < 2 ? "abc" : "xyz"}})["choices"][0]["text"]);
  }
  EXPECT_EQ(both["usage"]["completion_tokens"], 24);
}

TEST_F(Completions, IdsEqualTheirText) {
  const std::vector<int> ids = tokenize("abc def");
  EXPECT_EQ(complete({{"prompt", ids}})["choices"], complete()["choices"]);
  EXPECT_EQ(complete({{"prompt", {ids, ids}}})["choices"][1]["text"], complete()["choices"][0]["text"]);
}

TEST_F(Completions, EchoRepeatsThePromptWithItsLogprobs) {
  const std::string prompt = "na\xC3\xAFve \xF0\x9F\xA6\x89 text";
  // Log-probabilities are the model's, before the penalty that generation_config.json asks for.
  const ordered_json reply =
      complete({{"prompt", prompt}, {"echo", true}, {"logprobs", 2}, {"max_tokens", 3}, {"repetition_penalty", 1}});
  const ordered_json& choice = reply["choices"][0];
  const size_t prompt_tokens = tokenize(prompt).size();
  EXPECT_TRUE(choice["text"].get<std::string>().starts_with(prompt));
  const ordered_json& logprobs = choice["logprobs"];
  for (const char* key : {"tokens", "token_logprobs", "top_logprobs", "text_offset"})
    ASSERT_EQ(logprobs[key].size(), prompt_tokens + 3) << key;
  EXPECT_TRUE(logprobs["token_logprobs"][0].is_null());
  EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());
  for (size_t i = 1; i < prompt_tokens + 3; ++i) {
    const ordered_json& top = logprobs["top_logprobs"][i];
    EXPECT_EQ(top[logprobs["tokens"][i].get<std::string>()], logprobs["token_logprobs"][i]);  // to the bit
    EXPECT_GE(top.size(), 2u);
    EXPECT_GE(logprobs["text_offset"][i], logprobs["text_offset"][i - 1]);
  }
  EXPECT_EQ(logprobs["text_offset"][0], 0);
  EXPECT_EQ(logprobs["text_offset"][prompt_tokens], 12);        // characters of the prompt
  for (size_t i = prompt_tokens; i < prompt_tokens + 3; ++i) {  // greedy
    double best = -1e9;
    for (const auto& [token, logprob] : logprobs["top_logprobs"][i].items())
      best = std::max(best, logprob.get<double>());
    EXPECT_EQ(logprobs["token_logprobs"][i], best);
  }
}

TEST_F(Completions, ScoreWithoutGenerating) {
  const ordered_json scored = complete({{"echo", true}, {"logprobs", 0}, {"max_tokens", 0}});
  const ordered_json generated = complete({{"echo", true}, {"logprobs", 0}, {"max_tokens", 1}});
  EXPECT_EQ(scored["choices"][0]["text"], "abc def");
  EXPECT_EQ(scored["usage"]["completion_tokens"], 0);
  EXPECT_EQ(scored["choices"][0]["finish_reason"], "length");
  ordered_json shortened = generated["choices"][0]["logprobs"]["token_logprobs"];
  shortened.erase(shortened.size() - 1);
  EXPECT_EQ(scored["choices"][0]["logprobs"]["token_logprobs"], shortened);
}

TEST_F(Completions, StreamWithEchoAndLogprobsAddsUpToTheWhole) {
  for (const ordered_json& extra :
       {ordered_json{{"echo", true}}, ordered_json{{"echo", true}, {"logprobs", 1}}, ordered_json{{"logprobs", 1}},
        ordered_json{{"echo", true}, {"logprobs", 1}, {"max_tokens", 0}}}) {
    ordered_json fields = extra;
    fields["n"] = 2;
    const ordered_json whole = complete(fields);
    fields["stream"] = true;
    std::vector<std::string> texts(2);
    std::vector<ordered_json> logprobs(2, ordered_json::array());
    const std::vector<std::string> events = send(fields).events();
    EXPECT_EQ(events.back(), "[DONE]");
    for (const std::string& event : events) {
      if (event == "[DONE]") continue;
      const ordered_json chunk = ordered_json::parse(event), choice = chunk["choices"][0];
      EXPECT_EQ(chunk["object"], "text_completion");
      texts[choice["index"]] += choice["text"].get<std::string>();
      if (choice["logprobs"].is_null()) continue;
      for (const ordered_json& number : choice["logprobs"]["token_logprobs"])
        logprobs[choice["index"]].push_back(number);
    }
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(texts[i], whole["choices"][i]["text"]);
      if (extra.contains("logprobs")) {
        EXPECT_EQ(logprobs[i], whole["choices"][i]["logprobs"]["token_logprobs"]);
      }
    }
  }
}

TEST_F(Completions, AnEmptyPromptIsAnEmptyDocument) {
  for (const ordered_json& prompt : {ordered_json(""), ordered_json(nullptr)})
    EXPECT_EQ(complete({{"prompt", prompt}})["usage"]["prompt_tokens"], 1);
}

TEST_F(Completions, RefuseIdsThatTheModelDoesNotHave) {
  const HttpAnswer answer = send({{"prompt", {1, 100000}}});
  EXPECT_EQ(answer.error_code(), "invalid_value");
  EXPECT_EQ(answer.json()["error"]["param"], "prompt");
}

TEST_F(Completions, TokenizeAndDetokenizeInvertEachOther) {
  const std::string text = "Hello <|im_end|> \xF0\x9F\xA6\x89";
  const ordered_json tokens = daemon->post("/tokenize", {{"content", text}}).json()["tokens"];
  EXPECT_EQ(daemon->post("/detokenize", {{"tokens", tokens}}).json()["content"], text);
  EXPECT_EQ(daemon->post("/tokenize", {{"prompt", text}, {"add_special_tokens", false}}).json(),
            (ordered_json{{"tokens", tokens}, {"count", tokens.size()}}));
  EXPECT_EQ(daemon->post("/detokenize", {{"tokens", tokens}}).json()["prompt"], text);
  EXPECT_EQ(daemon->post("/detokenize", {{"tokens", {-1}}}).error_code(), "invalid_value");
  EXPECT_EQ(daemon->post("/tokenize", {{"text", text}}).error_code(), "missing_required_parameter");
}

TEST_F(Completions, TokenizerInfoNamesTheControlTokensAndTheTemplate) {
  const HttpAnswer answer = daemon->get("/tokenizer_info");
  const ordered_json info = answer.json();
  EXPECT_EQ(daemon->post("/tokenize", {{"content", info["eos_token"]}}).json()["count"], 1) << answer.body;
  EXPECT_TRUE(info["chat_template"].get<std::string>().find("{%") != std::string::npos) << answer.body;
  EXPECT_EQ(daemon->get("/tokenizer_info?model=none").status, 404);
}

}  // namespace
}  // namespace hearth
