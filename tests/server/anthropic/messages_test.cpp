// POST /v1/messages and /v1/messages/count_tokens of a daemon: bodies, streams, and errors in Anthropic's shape, those
// of the router too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/test_app.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using test::fetch;
using test::HttpAnswer;
using test::TestApp;
using testing::ElementsAre;
using testing::HasSubstr;

Json body_with(const Json& fields = Json::object()) {
  Json body = {{"model", "tiny"},
               {"max_tokens", 12},
               {"temperature", 0},
               {"messages", Json::parse(R"([{"role": "user", "content": "say something"}])")}};
  body.update(fields);
  return body;
}

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}

class Messages : public testing::Test {
 protected:
  static void SetUpTestSuite() { daemon = new TestApp(); }
  static void TearDownTestSuite() { delete daemon; }
  static Json ask(const Json& fields = Json::object()) {
    const HttpAnswer answer = daemon->post("/v1/messages", body_with(fields));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json();
  }
  // "STATUS TYPE MESSAGE", of an error with all that Anthropic's errors have.
  static std::string refusal(const HttpAnswer& answer) {
    const Json error = answer.json();
    EXPECT_THAT(keys(error), ElementsAre("type", "error", "request_id"));
    EXPECT_THAT(keys(error["error"]), ElementsAre("type", "message"));
    EXPECT_EQ(error["type"], "error");
    EXPECT_EQ(error["request_id"], answer.headers.at("request-id"));
    return std::to_string(answer.status) + " " + error["error"]["type"].get<std::string>() + " " +
           error["error"]["message"].get<std::string>();
  }
  static std::string refusal(const Json& fields) { return refusal(daemon->post("/v1/messages", body_with(fields))); }
  static inline TestApp* daemon = nullptr;
};

TEST_F(Messages, HaveAnthropicsShape) {
  const HttpAnswer answer = daemon->post("/v1/messages", body_with());
  const Json reply = answer.json();
  EXPECT_THAT(keys(reply),
              ElementsAre("id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"));
  EXPECT_THAT(reply["id"].get<std::string>(), testing::StartsWith("msg_"));
  EXPECT_EQ(reply["type"], "message");
  EXPECT_EQ(reply["role"], "assistant");
  EXPECT_EQ(reply["model"], "tiny");
  ASSERT_EQ(reply["content"].size(), 1u);
  EXPECT_EQ(reply["content"][0]["type"], "text");
  EXPECT_EQ(reply["stop_reason"], "max_tokens");
  EXPECT_TRUE(reply["stop_sequence"].is_null());
  EXPECT_EQ(reply["usage"]["output_tokens"], 12);
  EXPECT_EQ(answer.headers.at("request-id"), answer.headers.at("x-request-id"));
  const Json chat = daemon->post("/v1/chat/completions", body_with()).json();
  EXPECT_EQ(reply["content"][0]["text"], chat["choices"][0]["message"]["content"]) << "the same engine";
}

TEST_F(Messages, StreamInTheExactOrder) {
  const Json whole = ask();
  const HttpAnswer answer = daemon->post("/v1/messages", body_with({{"stream", true}}));
  EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream");
  std::string types, text;
  Json start, last;
  std::string_view rest = answer.body;
  while (!rest.empty()) {
    const size_t line = rest.find('\n'), end = rest.find("\n\n");
    const std::string type(rest.substr(7, line - 7));
    const Json data = Json::parse(rest.substr(line + 7, end - line - 7));
    EXPECT_EQ(data["type"], type);
    if (type != "content_block_delta" || !types.ends_with("content_block_delta ")) types += type + " ";
    if (type == "message_start") start = data["message"];
    if (type == "content_block_delta") text += data["delta"]["text"].get<std::string>();
    if (type == "message_delta") last = data;
    rest.remove_prefix(end + 2);
  }
  EXPECT_EQ(
      types,
      "message_start ping content_block_start content_block_delta content_block_stop message_delta message_stop ");
  EXPECT_EQ(text, whole["content"][0]["text"]);
  EXPECT_EQ(keys(start), keys(whole));
  EXPECT_TRUE(start["stop_reason"].is_null() && start["content"].empty());
  EXPECT_EQ(start["usage"]["output_tokens"], 0);
  const auto input = [](const Json& usage) {
    return usage["input_tokens"].get<int>() + usage["cache_read_input_tokens"].get<int>();
  };
  EXPECT_EQ(input(start["usage"]), input(whole["usage"])) << "known before the first token";
  EXPECT_EQ(input(last["usage"]), input(whole["usage"]));
  EXPECT_EQ(last["usage"]["output_tokens"], 12);
  EXPECT_EQ(last["delta"], Json::parse(R"({"stop_reason": "max_tokens", "stop_sequence": null})"));
}

TEST_F(Messages, TellWhichStopSequenceEndedThem) {
  const std::string whole = ask({{"max_tokens", 60}})["content"][0]["text"];
  size_t at = 5;
  const auto is_ascii = [&](size_t i) { return static_cast<unsigned char>(whole[i]) < 0x80; };
  while (at + 2 < whole.size() && !(is_ascii(at) && is_ascii(at + 1))) ++at;
  ASSERT_LT(at + 2, whole.size());
  const std::string stop = whole.substr(at, 2);
  const Json reply = ask({{"max_tokens", 60}, {"stop_sequences", {"never", stop}}});
  EXPECT_EQ(reply["content"][0]["text"], whole.substr(0, whole.find(stop)));
  EXPECT_EQ(reply["stop_reason"], "stop_sequence");
  EXPECT_EQ(reply["stop_sequence"], stop);
}

TEST_F(Messages, CountTheTokensOfAPrompt) {
  const Json messages = Json::parse(
      R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}])");
  const auto count = [](const Json& body) {
    const HttpAnswer answer = daemon->post("/v1/messages/count_tokens", body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_THAT(keys(answer.json()), ElementsAre("input_tokens"));
    return answer.json()["input_tokens"].get<int>();
  };
  const int plain = count({{"model", "tiny"}, {"messages", messages}});
  EXPECT_GT(count({{"model", "tiny"}, {"messages", messages}, {"system", "Be brief."}}), plain);
  const Json usage = ask({{"messages", messages}, {"max_tokens", 1}})["usage"];
  EXPECT_EQ(usage["input_tokens"].get<int>() + usage["cache_read_input_tokens"].get<int>(), plain);
  EXPECT_EQ(refusal(daemon->post("/v1/messages/count_tokens", {{"model", "tiny"}})),
            "400 invalid_request_error 'messages' is required");
}

TEST_F(Messages, GoOnWhereTheLastTurnIsTheAssistants) {
  const Json messages = {{{"role", "user"}, {"content", "hi"}}, {{"role", "assistant"}, {"content", "Once upon "}}};
  Json chat = body_with({{"messages", messages}, {"continue_final_message", true}});
  EXPECT_EQ(ask({{"messages", messages}})["content"][0]["text"],
            daemon->post("/v1/chat/completions", chat).json()["choices"][0]["message"]["content"]);
}

TEST_F(Messages, AnswerUnderASchema) {
  const Json format = Json::parse(R"({"format": {"type": "json_schema", "schema": {"enum": ["yes"]}}})");
  const Json reply = ask({{"output_config", format}});
  EXPECT_EQ(reply["content"][0]["text"], "\"yes\"");
  EXPECT_EQ(reply["stop_reason"], "end_turn");
  const Json wrong =
      Json::parse(R"({"format": {"type": "json_schema", "schema": {"type": "array", "items": {"not": {}}}}})");
  EXPECT_THAT(refusal({{"output_config", wrong}}), HasSubstr("/output_config/format/schema/items/not: "));
}

TEST_F(Messages, RefuseInAnthropicsShape) {
  EXPECT_THAT(refusal({{"model", "none"}}), testing::StartsWith("404 not_found_error "));
  EXPECT_THAT(refusal({{"temperature", 2}}), testing::StartsWith("400 invalid_request_error 'temperature': "));
  EXPECT_THAT(refusal({{"max_tokens", 100'000}}),
              testing::StartsWith("400 invalid_request_error messages: 'tiny' holds"));
  EXPECT_THAT(refusal({{"stream", true}, {"max_tokens", 100'000}}), testing::StartsWith("400 "));
  EXPECT_THAT(refusal(fetch(daemon->app->port(), "POST", "/v1/messages", "{")),
              testing::StartsWith("400 invalid_request_error the body is not JSON"));
  EXPECT_THAT(refusal(fetch(daemon->app->port(), "POST", "/v1/messages", "[1]")), testing::StartsWith("400 "));
  const std::string large = "{\"model\": \"" + std::string(33 << 20, 'a') + "\"}";
  EXPECT_THAT(refusal(fetch(daemon->app->port(), "POST", "/v1/messages", large)),
              testing::StartsWith("413 request_too_large "));
  EXPECT_EQ(daemon->post("/v1/chat/completions", {{"model", "tiny"}}).error_code(), "missing_required_parameter")
      << "other routes keep OpenAI's";
}

TEST_F(Messages, TakeTheKeyInXApiKey) {
  const TestApp locked([](AppOptions& options) {
    options.api_keys = {"secret"};
    options.rate_limits = {.requests_per_minute = 4};
  });
  const std::string body = body_with().dump();
  const auto post = [&](const std::vector<std::string>& headers) {
    return fetch(locked.app->port(), "POST", "/v1/messages", body, headers);
  };
  EXPECT_THAT(refusal(post({})), testing::StartsWith("401 authentication_error "));
  EXPECT_THAT(refusal(post({"x-api-key: wrong"})), testing::StartsWith("401 authentication_error "));
  EXPECT_EQ(post({"X-Api-Key: secret"}).status, 200);
  EXPECT_EQ(post({"Authorization: Bearer secret"}).status, 200);
  EXPECT_EQ(post({"Authorization: Bearer wrong", "x-api-key: secret"}).status, 200) << "either will do";
  EXPECT_EQ(fetch(locked.app->port(), "GET", "/v1/models", "", {"x-api-key: secret"}).status, 200);
  const HttpAnswer limited = post({"x-api-key: secret"});
  EXPECT_THAT(refusal(limited), testing::StartsWith("429 rate_limit_error "));
  EXPECT_GT(std::stoi(limited.headers.at("retry-after")), 0);
}

TEST_F(Messages, OfADaemonThatDrainsAreRefused) {
  TestApp leaving;
  leaving.app->drain(std::chrono::seconds(1));
  const HttpAnswer answer = leaving.post("/v1/messages", body_with());
  EXPECT_THAT(refusal(answer), testing::StartsWith("503 overloaded_error "));
  EXPECT_TRUE(answer.headers.contains("retry-after"));
}

// Fails as soon as it is told to.
struct FailingModel : test::SlowModel {
  FailingModel(std::shared_ptr<const LanguageModel> model, std::shared_ptr<std::atomic<bool>> fail)
      : SlowModel(std::move(model), std::make_shared<std::atomic<int>>(20)), fail_(std::move(fail)) {}
  Tensor forward(const Batch& batch) const override {
    if (*fail_) throw std::runtime_error("broken");
    return SlowModel::forward(batch);
  }
  std::shared_ptr<std::atomic<bool>> fail_;
};

TEST_F(Messages, AnErrorWithinAStreamIsAnEvent) {
  const auto fail = std::make_shared<std::atomic<bool>>(false);
  const TestApp failing([&](AppOptions& options) {
    options.load = [fail](const AppOptions::Model& model, ComputeDtype dtype) {
      LoadedModel loaded = load_model(model.path, {.compute_dtype = dtype, .chat = model.chat});
      loaded.model = std::make_shared<FailingModel>(loaded.model, fail);
      return loaded;
    };
  });
  test::HttpTestClient client(failing.app->port());
  client.send(test::make_request("POST", "/v1/messages", body_with({{"stream", true}, {"max_tokens", 400}}).dump(),
                                 {"Connection: close"}));
  EXPECT_THAT(client.read(600), HasSubstr("event: message_start\n"));
  *fail = true;
  const std::string rest = client.read();
  const size_t error = rest.find("event: error\ndata: ");
  ASSERT_NE(error, std::string::npos) << rest;
  const std::string data = rest.substr(error + 19, rest.find("\n\n", error) - error - 19);
  EXPECT_EQ(Json::parse(data)["error"]["type"], "api_error");
  EXPECT_THAT(rest, testing::Not(HasSubstr("message_stop")));
}

}  // namespace
}  // namespace hearth
