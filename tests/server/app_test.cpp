// The daemon as a whole: who may call what, clients that leave, bodies that are damaged, draining.
#include "server/app.h"

#include <chrono>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/random.h"
#include "server/config.h"
#include "server/routes.h"
#include "tests/server/test_app.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using test::fetch;
using test::HttpAnswer;
using test::HttpTestClient;
using test::make_request;
using test::soon;
using test::TestApp;
using testing::HasSubstr;
using namespace std::chrono_literals;

std::string chat_body(const ordered_json& fields = ordered_json::object()) {
  ordered_json body = {{"model", "tiny"},
                       {"messages", {{{"role", "user"}, {"content", "go on"}}}},
                       {"ignore_eos", true},
                       {"temperature", 0}};
  body.update(fields);
  return body.dump();
}

std::string chat_request(const ordered_json& fields = ordered_json::object()) {
  return make_request("POST", "/v1/chat/completions", chat_body(fields));
}

std::string path_of(const Route& route) {
  const std::string pattern(route.pattern);
  return pattern.ends_with("{id}") ? pattern.substr(0, pattern.size() - 4) + "tiny" : pattern;
}

TEST(App, EveryRouteButTheProbesAndThePageNeedsTheKey) {
  const TestApp daemon([](AppOptions& options) { options.api_keys = {"first", "second"}; });
  const auto code = [&](const Route& route, const std::vector<std::string>& headers) {
    return fetch(daemon.app->port(), route.method, path_of(route), "", headers);
  };
  for (const Route& route : routes()) {
    const HttpAnswer without = code(route, {}), wrong = code(route, {"Authorization: Bearer third"});
    if (route.is_public) {
      EXPECT_THAT(without.status, testing::AnyOf(200, 404)) << route.pattern;
      continue;
    }
    EXPECT_EQ(without.status, 401) << route.pattern;
    EXPECT_EQ(route.errors ? without.json()["error"].value("type", "") : without.error_code(),
              route.errors ? "authentication_error" : "invalid_api_key");
    EXPECT_EQ(without.headers.at("www-authenticate"), "Bearer");
    EXPECT_EQ(wrong.json()["error"], without.json()["error"]);
    EXPECT_NE(code(route, {"Authorization: Bearer second"}).status, 401) << route.pattern;
  }
  EXPECT_EQ(daemon.get("/unknown").status, 401);  // what exists is told to key holders only
  EXPECT_EQ(fetch(daemon.app->port(), "OPTIONS", "/v1/models").status, 204);
}

TEST(App, UnknownUrlsAndMethodsAreJsonErrors) {
  const TestApp daemon;
  const HttpAnswer twice = daemon.get("/v1/v1/models");
  EXPECT_EQ(twice.status, 404);
  EXPECT_EQ(twice.error_code(), "unknown_url");
  EXPECT_THAT(twice.body, HasSubstr("one /v1 too many"));
  const HttpAnswer method = daemon.get("/v1/completions");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.error_code(), "method_not_allowed");
  EXPECT_EQ(method.headers.at("allow"), "POST");
}

TEST(App, ListsItsModelsAndTellsWhatItIs) {
  const TestApp daemon;
  const ordered_json list = daemon.get("/models").json();
  EXPECT_EQ(list["object"], "list");
  EXPECT_EQ(list["has_more"], false);
  EXPECT_EQ(list["data"][0]["id"], "tiny");
  EXPECT_EQ(list["data"][0]["max_model_len"], test::kTestContext);
  EXPECT_EQ(daemon.get("/v1/models/tiny").json(), list["data"][0]);
  EXPECT_EQ(daemon.get("/v1/models/org%2Fother").error_code(), "model_not_found");
  EXPECT_EQ(daemon.get("/").json()["name"], "hearth");
  for (const char* probe : {"/health", "/healthz", "/readyz"}) EXPECT_EQ(daemon.get(probe).status, 200);
}

TEST(App, RefusesForeignHostsOnALoopbackAddress) {
  const TestApp daemon;
  HttpTestClient client(daemon.app->port());
  client.send("GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 403);
}

// What a page elsewhere can send without being asked for its preflight: a form's POST.
TEST(App, RefusesForeignPagesWhereNoKeyIsNeeded) {
  constexpr const char* kForm =
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nContent-Type: text/plain\r\n"
      "Content-Length: 15\r\n\r\n{\"content\":\"a\"}";
  const TestApp daemon;
  HttpTestClient client(daemon.app->port());
  client.send(kForm);
  const HttpAnswer answer = client.read_answer();
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find("--cors-origin"), std::string::npos);
  const TestApp open([](AppOptions& options) { options.cors_origins = {"https://evil.example"}; });
  HttpTestClient admitted(open.app->port());
  admitted.send(kForm);
  EXPECT_EQ(admitted.read_answer().status, 200);
}

TEST(App, ListensToTheNetworkOnlyWithAKey) {
  AppOptions options;
  options.models = {{"tiny", "nowhere"}};
  options.host = "0.0.0.0";
  EXPECT_THROW(App{options}, Error);
  options.api_keys = {"key"};
  EXPECT_NO_THROW(App{options});
  options.api_keys.clear();
  options.host = "127.0.0.1";
  EXPECT_NO_THROW(App{options});
}

TEST(App, MetricsCountTokensAndTimes) {
  const TestApp daemon;
  EXPECT_EQ(daemon.post("/v1/chat/completions", ordered_json::parse(chat_body({{"max_tokens", 5}}))).status, 200);
  std::string text;
  // An answer is counted when it has left, which its reader may be ahead of.
  for (int i = 0; i < 500 && text.find("hearth_http_requests_total{route=\"/v1/chat") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    text = daemon.get("/metrics").body;
  }
  for (const char* line :
       {"hearth_answers_total{finish_reason=\"length\",model=\"tiny\"} 1",
        "hearth_generated_tokens_total{model=\"tiny\"} 6", "hearth_time_to_first_token_seconds_count{model=\"tiny\"} 1",
        "hearth_answer_seconds_count{model=\"tiny\"} 1", "hearth_queue_seconds_count{model=\"tiny\"} 1",
        "hearth_sequences_running{model=\"tiny\"} 0",
        "hearth_http_requests_total{route=\"/v1/chat/completions\",status=\"200\"} 1",
        "hearth_kv_blocks_total{model=\"tiny\"}", "hearth_model_memory_bytes ", "hearth_model_memory_limit_bytes ",
        "hearth_process_resident_bytes "})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(App, AClientThatLeavesAStreamFreesItsBlocks) {
  TestApp daemon;
  *daemon.step_milliseconds = 20;
  HttpTestClient client(daemon.app->port());
  client.send(chat_request({{"stream", true}, {"n", 3}, {"max_tokens", 400}}));
  client.read(2000);
  EXPECT_TRUE(soon([&] { return daemon.stats().running == 3; })) << "the gauge follows a step's tokens";
  client.hang_up();
  EXPECT_TRUE(soon([&] { return daemon.is_idle(); }, 5s));
  EXPECT_EQ(daemon.stats().cancelled, 3u);
}

TEST(App, AClientThatLeavesWithoutStreamingFreesItsBlocks) {
  TestApp daemon;
  *daemon.step_milliseconds = 20;
  HttpTestClient client(daemon.app->port());
  client.send(chat_request({{"max_tokens", 400}}));
  ASSERT_TRUE(soon([&] { return daemon.stats().running == 1; }));
  client.hang_up();
  EXPECT_TRUE(soon([&] { return daemon.is_idle(); }, 5s));
}

TEST(App, AClientThatLeavesTheQueueIsForgotten) {
  TestApp daemon([](AppOptions& options) { options.engine.max_running = 1; });
  *daemon.step_milliseconds = 20;
  HttpTestClient first(daemon.app->port()), second(daemon.app->port()), third(daemon.app->port());
  first.send(chat_request({{"stream", true}, {"max_tokens", 400}}));
  first.read(500);
  second.send(chat_request({{"stream", true}}));
  EXPECT_THAT(second.read(500),
              HasSubstr("\"role\":\"assistant\""));  // headers and the first chunk come while it waits
  third.send(chat_request());
  ASSERT_TRUE(soon([&] { return daemon.stats().queued == 2; }));
  second.hang_up();
  third.hang_up();
  EXPECT_TRUE(soon([&] { return daemon.stats().queued == 0; }, 5s));
  EXPECT_EQ(daemon.stats().running, 1);
}

TEST(App, AFullQueueSaysWhenToComeBack) {
  TestApp daemon([](AppOptions& options) {
    options.engine.max_running = 1;
    options.engine.max_queued = 1;
  });
  *daemon.step_milliseconds = 20;
  HttpTestClient running(daemon.app->port()), waiting(daemon.app->port());
  running.send(chat_request({{"max_tokens", 400}}));
  ASSERT_TRUE(soon([&] { return daemon.stats().running == 1; }));
  waiting.send(chat_request({{"max_tokens", 400}}));
  ASSERT_TRUE(soon([&] { return daemon.stats().queued == 1; }));
  const HttpAnswer refused = fetch(daemon.app->port(), "POST", "/v1/chat/completions", chat_body());
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.error_code(), "server_overloaded");
  EXPECT_GE(std::stoi(refused.headers.at("retry-after")), 1);
}

TEST(App, DrainingFinishesWhatRunsAndRefusesWhatComes) {
  TestApp daemon;
  *daemon.step_milliseconds = 20;
  HttpTestClient client(daemon.app->port());
  client.send(chat_request({{"stream", true}, {"max_tokens", 60}}));
  client.read(500);
  std::thread drain([&] { EXPECT_TRUE(daemon.app->drain(60s)); });
  ASSERT_TRUE(soon([&] { return daemon.app->state() == App::State::kDraining; }));
  const HttpAnswer refused = fetch(daemon.app->port(), "POST", "/v1/chat/completions", chat_body());
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.error_code(), "shutting_down");
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  EXPECT_EQ(daemon.get("/readyz").error_code(), "shutting_down");
  EXPECT_EQ(daemon.get("/health").status, 200);
  drain.join();
  daemon.app->stop();
  EXPECT_THAT(client.read(), HasSubstr("data: [DONE]"));
}

TEST(App, StopCutsOffWhatRuns) {
  TestApp daemon;
  *daemon.step_milliseconds = 20;
  HttpTestClient client(daemon.app->port());
  client.send(chat_request({{"stream", true}, {"max_tokens", 400}}));
  client.read(500);
  EXPECT_FALSE(daemon.app->drain(50ms));
  const auto begin = std::chrono::steady_clock::now();
  daemon.app->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST(App, AnswersWhileItLoads) {
  std::atomic<bool> go_on{false};
  AppOptions options;
  options.models = {{"slow", "nowhere"}};
  options.port = 0;
  options.load = [&](const AppOptions::Model&, ComputeDtype) -> LoadedModel {
    while (!go_on) std::this_thread::sleep_for(1ms);
    throw data_corruption("the file is damaged");
  };
  App app(options);
  app.start();
  EXPECT_EQ(fetch(app.port(), "GET", "/health").status, 200);
  EXPECT_EQ(fetch(app.port(), "GET", "/readyz").error_code(), "model_loading");
  EXPECT_EQ(fetch(app.port(), "GET", "/v1/models").json()["data"][0]["state"], "loading");
  ordered_json body = ordered_json::parse(chat_body());
  body["model"] = "slow";
  const HttpAnswer answer = fetch(app.port(), "POST", "/v1/chat/completions", body.dump());
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.error_code(), "model_loading");
  EXPECT_EQ(answer.headers.at("retry-after"), "2");
  go_on = true;
}

TEST(App, RunThrowsWhatLoadingThrew) {
  AppOptions options;
  options.models = {{"broken", "nowhere"}};
  options.port = 0;
  options.load = [](const AppOptions::Model&, ComputeDtype) -> LoadedModel {
    throw data_corruption("the file is damaged");
  };
  try {
    App(options).run();
    FAIL() << "run() came back";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kDataCorruption);
  }
}

// Damage of the kinds that bugs and attackers make: bytes changed, removed, repeated, structure swapped, numbers and
// strings made extreme.
std::string mutate(std::string text, Random& random) {
  static const std::vector<std::string> kInserts = {"null",
                                                    "{",
                                                    "}",
                                                    "[",
                                                    "]",
                                                    ",",
                                                    ":",
                                                    "\"",
                                                    "\\",
                                                    "\xff",
                                                    "\xed\xa0\x80",
                                                    "1e999",
                                                    "-1",
                                                    "99999999999999999999",
                                                    "true",
                                                    "\"\\ud800\"",
                                                    "[[[[[[[[",
                                                    "{\"a\":",
                                                    std::string(1, '\0'),
                                                    "0.5"};
  for (uint64_t rounds = 1 + random.below(4); rounds > 0; --rounds) {
    if (text.empty()) return text;
    const size_t at = random.below(text.size());
    switch (random.below(6)) {
      case 0:
        text[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        text.erase(at, 1 + random.below(8));
        break;
      case 2:
        text.insert(at, kInserts[random.below(kInserts.size())]);
        break;
      case 3:
        text.insert(at, text.substr(at, 1 + random.below(20)));
        break;
      case 4:
        text.resize(at);
        break;
      default: {  // a value is replaced
        const size_t colon = text.find(':', at);
        if (colon == std::string::npos) break;
        const size_t end = text.find_first_of(",}", colon);
        text.replace(colon + 1, end == std::string::npos ? std::string::npos : end - colon - 1,
                     kInserts[random.below(kInserts.size())]);
      }
    }
  }
  return text;
}

TEST(App, AThousandDamagedBodiesLeaveItUnharmed) {
  TestApp daemon;
  const std::string chat = chat_body({{"max_tokens", 1},
                                      {"n", 1},
                                      {"stop", {"a", "b"}},
                                      {"logit_bias", {{"5", 1}}},
                                      {"seed", 1},
                                      {"top_p", 0.5},
                                      {"stream", false}});
  const std::string completion =
      ordered_json{{"model", "tiny"}, {"prompt", {{1, 2}, {3}}}, {"max_tokens", 1}, {"echo", true}, {"logprobs", 1}}
          .dump();
  const std::string tools =
      ordered_json::parse(
          R"({"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function",
    "function": {"name": "f", "arguments": "{\"a\": 1}"}}]}], "tools": [{"type": "function", "function": {"name": "f"}}]})")
          .dump();
  const std::pair<const char*, std::string> targets[] = {
      {"/v1/chat/completions", chat}, {"/v1/completions", completion}, {"/apply-template", tools}};
  Random random(20250101);
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto& [path, body] = targets[i % 3];
    const std::string damaged = mutate(body, random);
    const HttpAnswer answer = fetch(daemon.app->port(), "POST", path, damaged);
    if (answer.status == 200) continue;  // harmless damage
    ++refused;
    ASSERT_GE(answer.status, 400) << damaged;
    ASSERT_LT(answer.status, 500) << damaged << "\n" << answer.body;
    ASSERT_NO_THROW(answer.error_code()) << damaged << "\n" << answer.body;
  }
  EXPECT_GT(refused, 500);
  EXPECT_EQ(daemon.post("/v1/chat/completions", ordered_json::parse(chat)).status, 200);
  EXPECT_TRUE(soon([&] { return daemon.is_idle(); }, 5s));
}

}  // namespace
}  // namespace hearth
