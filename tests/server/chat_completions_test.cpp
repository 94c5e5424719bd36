#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/test_app.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using test::HttpAnswer;
using test::TestApp;
using testing::HasSubstr;

ordered_json body_with(const ordered_json& fields = ordered_json::object()) {
  ordered_json body = {{"model", "tiny"},
                       {"messages", ordered_json::parse(R"([{"role": "user", "content": "say something"}])")},
                       {"max_tokens", 12},
                       {"temperature", 0},
                       {"ignore_eos", true}};
  body.update(fields);
  return body;
}

std::vector<std::string> keys(const ordered_json& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}

class ChatCompletions : public testing::Test {
 protected:
  static void SetUpTestSuite() { daemon = new TestApp(); }
  static void TearDownTestSuite() { delete daemon; }
  static ordered_json chat(const ordered_json& fields = ordered_json::object()) {
    const HttpAnswer answer = daemon->post("/v1/chat/completions", body_with(fields));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json();
  }
  static std::vector<std::string> stream(ordered_json fields = ordered_json::object()) {
    fields["stream"] = true;
    const HttpAnswer answer = daemon->post("/v1/chat/completions", body_with(fields));
    EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream");
    EXPECT_EQ(answer.headers.at("cache-control"), "no-cache");
    return answer.events();
  }
  static std::string refusal(const ordered_json& fields) {
    const HttpAnswer answer = daemon->post("/v1/chat/completions", body_with(fields));
    return std::to_string(answer.status) + " " + answer.error_code();
  }
  static inline TestApp* daemon = nullptr;
};

TEST_F(ChatCompletions, HasOpenAisShape) {
  const ordered_json reply = chat();
  EXPECT_THAT(keys(reply),
              testing::ElementsAre("id", "object", "created", "model", "system_fingerprint", "choices", "usage"));
  EXPECT_TRUE(reply["id"].get<std::string>().starts_with("chatcmpl-"));
  EXPECT_EQ(reply["object"], "chat.completion");
  EXPECT_EQ(reply["model"], "tiny");
  const ordered_json& choice = reply["choices"][0];
  EXPECT_THAT(keys(choice), testing::ElementsAre("index", "message", "logprobs", "finish_reason"));
  EXPECT_THAT(keys(choice["message"]), testing::ElementsAre("role", "content", "refusal"));
  EXPECT_EQ(choice["finish_reason"], "length");
  EXPECT_EQ(reply["usage"]["completion_tokens"], 12);
  EXPECT_EQ(reply["usage"]["total_tokens"].get<int>(), reply["usage"]["prompt_tokens"].get<int>() + 12);
}

TEST_F(ChatCompletions, StreamsInTheExactOrder) {
  const std::string whole = chat()["choices"][0]["message"]["content"];
  const std::vector<std::string> events = stream({{"stream_options", {{"include_usage", true}}}});
  ASSERT_GE(events.size(), 4u);
  EXPECT_EQ(events.back(), "[DONE]");
  std::vector<ordered_json> chunks;
  for (size_t i = 0; i + 1 < events.size(); ++i) chunks.push_back(ordered_json::parse(events[i]));
  for (const ordered_json& chunk : chunks) {
    for (const char* key : {"id", "created", "model", "system_fingerprint"}) EXPECT_EQ(chunk[key], chunks[0][key]);
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
  }
  EXPECT_EQ(chunks[0]["choices"][0]["delta"], ordered_json::parse(R"({"role": "assistant", "content": ""})"));
  std::string text;
  for (size_t i = 1; i + 2 < chunks.size(); ++i) {
    EXPECT_EQ(keys(chunks[i]["choices"][0]["delta"]), std::vector<std::string>{"content"});
    EXPECT_TRUE(chunks[i]["choices"][0]["finish_reason"].is_null());
    EXPECT_TRUE(chunks[i]["usage"].is_null());
    text += chunks[i]["choices"][0]["delta"]["content"].get<std::string>();
  }
  EXPECT_EQ(text, whole);
  const ordered_json& last = chunks[chunks.size() - 2];
  EXPECT_TRUE(last["choices"][0]["delta"].empty());
  EXPECT_EQ(last["choices"][0]["finish_reason"], "length");
  EXPECT_TRUE(chunks.back()["choices"].empty());
  EXPECT_EQ(chunks.back()["usage"]["completion_tokens"], 12);
}

TEST_F(ChatCompletions, WithoutIncludeUsageThereIsNoUsage) {
  for (const std::string& event : stream()) EXPECT_THAT(event, testing::Not(HasSubstr("usage")));
}

TEST_F(ChatCompletions, SeveralChoicesInterleaveAndCountTogether) {
  const ordered_json fields = {{"n", 3}, {"temperature", 1}, {"seed", 5}, {"max_tokens", 8}};
  const ordered_json whole = chat(fields);
  ASSERT_EQ(whole["choices"].size(), 3u);
  EXPECT_EQ(whole["usage"]["completion_tokens"], 24);
  EXPECT_LT(whole["usage"]["prompt_tokens"], 40);
  std::vector<std::string> texts(3);
  int finished = 0;
  for (const std::string& event : stream(fields)) {
    if (event == "[DONE]") continue;
    const ordered_json choice = ordered_json::parse(event)["choices"][0];
    if (choice["delta"].contains("content")) texts[choice["index"]] += choice["delta"]["content"].get<std::string>();
    finished += !choice["finish_reason"].is_null();
  }
  EXPECT_EQ(finished, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(texts[i], whole["choices"][i]["message"]["content"]);
  EXPECT_NE(texts[0], texts[1]);
}

TEST_F(ChatCompletions, TheSameSeedGivesTheSameAnswer) {
  const ordered_json seeded = {{"temperature", 1.5}, {"seed", 7}}, other = {{"temperature", 1.5}, {"seed", 8}};
  EXPECT_EQ(chat(seeded)["choices"], chat(seeded)["choices"]);
  EXPECT_NE(chat(seeded)["choices"], chat(other)["choices"]);
}

TEST_F(ChatCompletions, LogprobsCoverTheText) {
  const ordered_json reply = chat({{"logprobs", true}, {"top_logprobs", 3}});
  std::string bytes;
  for (const ordered_json& entry : reply["choices"][0]["logprobs"]["content"]) {
    for (const int byte : entry["bytes"]) bytes += static_cast<char>(byte);
    ASSERT_EQ(entry["top_logprobs"].size(), 3u);
    EXPECT_EQ(entry["logprob"], entry["top_logprobs"][0]["logprob"]);  // greedy: the likeliest, to the bit
    EXPECT_EQ(entry["token"], entry["top_logprobs"][0]["token"]);
  }
  EXPECT_EQ(reply["choices"][0]["logprobs"]["content"].size(), 12u);
  EXPECT_TRUE(reply["choices"][0]["logprobs"]["refusal"].is_null());
  std::string streamed;
  for (const std::string& event : stream({{"logprobs", true}, {"top_logprobs", 3}})) {
    if (event == "[DONE]") continue;
    const ordered_json choice = ordered_json::parse(event)["choices"][0];
    if (choice["logprobs"].is_null()) continue;
    for (const ordered_json& entry : choice["logprobs"]["content"])
      for (const int byte : entry["bytes"]) streamed += static_cast<char>(byte);
  }
  EXPECT_EQ(streamed, bytes);
}

TEST_F(ChatCompletions, EndsBeforeAStopString) {
  const ordered_json unstopped = chat({{"max_tokens", 60}});
  const std::string whole = unstopped["choices"][0]["message"]["content"];
  // Two plain characters somewhere behind the beginning; the tiny model writes much that is no text.
  size_t at = 5;
  const auto is_ascii = [&](size_t i) { return static_cast<unsigned char>(whole[i]) < 0x80; };
  while (at + 2 < whole.size() && !(is_ascii(at) && is_ascii(at + 1))) ++at;
  ASSERT_LT(at + 2, whole.size());
  const std::string stop = whole.substr(at, 2);
  const ordered_json reply = chat({{"max_tokens", 60}, {"stop", {"never", stop}}});
  EXPECT_EQ(reply["choices"][0]["message"]["content"], whole.substr(0, whole.find(stop)));
  EXPECT_EQ(reply["choices"][0]["finish_reason"], "stop");
  EXPECT_LT(reply["usage"]["completion_tokens"], 60);
}

TEST_F(ChatCompletions, ALogitBiasForcesAToken) {
  const ordered_json reply = chat({{"logit_bias", {{"40", 100}}}, {"logprobs", true}, {"max_tokens", 3}});
  std::set<std::string> tokens;
  for (const ordered_json& entry : reply["choices"][0]["logprobs"]["content"]) tokens.insert(entry["token"]);
  EXPECT_EQ(tokens.size(), 1u);
}

TEST_F(ChatCompletions, CountsTokensFromTheCache) {
  const ordered_json fields = {{"messages", {{{"role", "user"}, {"content", std::string(120, 'q')}}}},
                               {"max_tokens", 2}};
  chat(fields);
  const ordered_json again = chat(fields);
  EXPECT_GT(again["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
}

TEST_F(ChatCompletions, RefusesWhatDoesNotFitTheContext) {
  const HttpAnswer answer = daemon->post("/v1/chat/completions", body_with({{"max_tokens", test::kTestContext}}));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.error_code(), "context_length_exceeded");
  EXPECT_EQ(answer.json()["error"]["param"], "messages");
  EXPECT_THAT(answer.body, HasSubstr(std::to_string(test::kTestContext)));
  const ordered_json long_message = {{"messages", {{{"role", "user"}, {"content", std::string(4000, 'a')}}}}};
  EXPECT_EQ(refusal(long_message), "400 context_length_exceeded");
  ordered_json unlimited = long_message;
  unlimited["max_tokens"] = nullptr;
  EXPECT_EQ(refusal(unlimited), "400 context_length_exceeded");
}

TEST_F(ChatCompletions, WithoutALimitAnswersUpToTheContext) {
  const ordered_json reply = chat({{"max_tokens", nullptr}});
  EXPECT_EQ(reply["usage"]["total_tokens"], test::kTestContext);
}

TEST_F(ChatCompletions, RefusesUnknownModelsAndIds) {
  EXPECT_EQ(refusal({{"model", "tinier"}}), "404 model_not_found");
  EXPECT_EQ(refusal({{"logit_bias", {{"4000", 1}}}}), "400 invalid_value");
  EXPECT_EQ(refusal({{"stop_token_ids", {4000}}}), "400 invalid_value");
}

TEST_F(ChatCompletions, ErrorsOfAStreamThatCannotStartAreNoStream) {
  EXPECT_EQ(refusal({{"stream", true}, {"temperature", 9}}), "400 invalid_value");
  EXPECT_EQ(refusal({{"stream", true}, {"max_tokens", 100000}}), "400 context_length_exceeded");
}

TEST_F(ChatCompletions, ContinuesTheLastMessage) {
  const ordered_json messages =
      ordered_json::parse(R"([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Once upon "}])");
  EXPECT_EQ(
      daemon->post("/apply-template", {{"messages", messages}, {"continue_final_message", true}}).json()["prompt"],
      "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nOnce upon ");
}

TEST_F(ChatCompletions, ControlTokensThatUsersWriteAreText) {
  const auto prompt_tokens = [](const char* role) {
    return chat({{"messages", {{{"role", role}, {"content", "<|im_end|>"}}}},
                 {"max_tokens", 1}})["usage"]["prompt_tokens"]
        .get<int>();
  };
  EXPECT_GT(prompt_tokens("user"), prompt_tokens("system"));
}

TEST_F(ChatCompletions, ADeveloperIsASystemWhereTheTemplateKnowsNoOther) {
  EXPECT_THAT(daemon->post("/apply-template", {{"messages", {{{"role", "developer"}, {"content", "x"}}}}})
                  .json()["prompt"]
                  .get<std::string>(),
              HasSubstr("<|im_start|>system\nx"));
}

TEST_F(ChatCompletions, SixteenAtOnceEqualEachAlone) {
  const auto ask = [](int i) {
    return chat(
        {{"messages",
          {{{"role", "user"}, {"content", std::string(static_cast<size_t>(1 + 7 * i), static_cast<char>('a' + i))}}}},
         {"max_tokens", 10 + i},
         {"logprobs", true}})["choices"];
  };
  std::vector<ordered_json> alone, together(16);
  for (int i = 0; i < 16; ++i) alone.push_back(ask(i));
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) threads.emplace_back([&, i] { together[i] = ask(i); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, alone);
}

}  // namespace
}  // namespace hearth
