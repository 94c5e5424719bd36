// /v1/responses over HTTP on a tiny model: create, stream, continue, retrieve, replay, cancel, delete, and what a
// daemon that is started again still knows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/state/schema.h"
#include "server/state/state_directory.h"
#include "tests/server/test_app.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using test::fetch;
using test::HttpAnswer;
using test::soon;
using test::TestApp;
using testing::HasSubstr;

ordered_json body_with(const ordered_json& fields = ordered_json::object()) {
  ordered_json body = {{"model", "tiny"},
                       {"input", "say something"},
                       {"max_output_tokens", 12},
                       {"temperature", 0},
                       {"ignore_eos", true}};
  body.update(fields);
  return body;
}

struct Daemon : TestApp {
  explicit Daemon(const std::filesystem::path& state, const std::function<void(AppOptions&)>& change = {})
      : TestApp([&](AppOptions& options) {
          options.state_directory = state;
          if (change) change(options);
        }) {}

  ordered_json create(const ordered_json& fields = ordered_json::object()) const {
    const HttpAnswer answer = post("/v1/responses", body_with(fields));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json();
  }
  std::vector<ordered_json> stream(ordered_json fields = ordered_json::object()) const {
    fields["stream"] = true;
    return events_of(post("/v1/responses", body_with(fields)));
  }
  static std::vector<ordered_json> events_of(const HttpAnswer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream");
    std::vector<ordered_json> events;
    for (const std::string& event : answer.events()) events.push_back(ordered_json::parse(event));
    if (events.empty()) throw std::runtime_error("a stream without events");
    return events;
  }
  ordered_json retrieve(const std::string& id) const { return get("/v1/responses/" + id).json(); }
  HttpAnswer call(const char* method, const std::string& path) const { return fetch(app->port(), method, path); }
  ordered_json ended(const std::string& id) const {
    EXPECT_TRUE(soon([&] {
      const std::string status = retrieve(id)["status"];
      return status != "queued" && status != "in_progress";
    }));
    return retrieve(id);
  }
  // "STATUS CODE PARAM"
  std::string refusal(const ordered_json& fields) const {
    const HttpAnswer answer = post("/v1/responses", body_with(fields));
    const ordered_json param = answer.json()["error"]["param"];
    return std::to_string(answer.status) + " " + answer.error_code() + " " +
           (param.is_null() ? "" : param.get<std::string>());
  }
};

class Responses : public testing::Test {
 protected:
  static void SetUpTestSuite() { daemon = new Daemon(state().path()); }
  static void TearDownTestSuite() { delete daemon; }
  void TearDown() override { *daemon->step_milliseconds = 0; }
  static test::TemporaryDirectory& state() {
    static test::TemporaryDirectory directory;
    return directory;
  }
  static inline Daemon* daemon = nullptr;
};

TEST_F(Responses, HasOpenAisShape) {
  const ordered_json response =
      daemon->create({{"metadata", {{"a", "b"}}}, {"instructions", "be brief"}, {"temperature", 0.7}});
  EXPECT_THAT(response["id"],
              testing::Truly([](const auto& id) { return id.template get<std::string>().starts_with("resp_"); }));
  EXPECT_EQ(response["object"], "response");
  EXPECT_EQ(response["status"], "incomplete");
  EXPECT_EQ(response["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(response["model"], "tiny");
  EXPECT_EQ(response["output"][0]["type"], "message");
  EXPECT_EQ(response["output"][0]["content"][0]["type"], "output_text");
  EXPECT_EQ(response["usage"]["output_tokens"], 12);
  EXPECT_EQ(response["metadata"]["a"], "b");
  EXPECT_EQ(response["instructions"], "be brief");
  EXPECT_EQ(response["temperature"].dump(), "0.7");
  EXPECT_EQ(response["store"], true);
  EXPECT_EQ(response["tool_choice"], "auto");
  EXPECT_EQ(daemon->retrieve(response["id"]), response);
}

TEST_F(Responses, TheTextIsTheChatsText) {
  const ordered_json chat =
      daemon
          ->post("/v1/chat/completions", {{"model", "tiny"},
                                          {"messages", {{{"role", "user"}, {"content", "say something"}}}},
                                          {"max_tokens", 12},
                                          {"temperature", 0},
                                          {"ignore_eos", true}})
          .json();
  EXPECT_EQ(daemon->create()["output"][0]["content"][0]["text"], chat["choices"][0]["message"]["content"]);
}

TEST_F(Responses, StreamsTypedEventsThatAreReplayed) {
  const HttpAnswer answer =
      daemon->post("/v1/responses",
                   body_with({{"stream", true}, {"include", {"message.output_text.logprobs"}}, {"top_logprobs", 2}}));
  const std::vector<ordered_json> events = Daemon::events_of(answer);
  EXPECT_THAT(answer.body, HasSubstr("event: response.created\ndata: {\"type\":\"response.created\""));
  EXPECT_THAT(answer.body, testing::Not(HasSubstr("[DONE]")));
  ASSERT_GT(events.size(), 7u);
  EXPECT_EQ(events[0]["type"], "response.created");
  EXPECT_EQ(events[1]["type"], "response.in_progress");
  EXPECT_EQ(events.back()["type"], "response.incomplete");
  std::string text;
  size_t tokens = 0;
  for (const ordered_json& event : events)
    if (event["type"] == "response.output_text.delta") {
      text += event["delta"].get<std::string>();
      tokens += event["logprobs"].size();
    }
  const ordered_json& response = events.back()["response"];
  EXPECT_EQ(text, response["output"][0]["content"][0]["text"]);
  EXPECT_EQ(tokens, 12u);
  EXPECT_EQ(response["output"][0]["content"][0]["logprobs"].size(), 12u);
  const std::string path = "/v1/responses/" + response["id"].get<std::string>();
  EXPECT_EQ(Daemon::events_of(daemon->get(path + "?stream=true")), events);
  const std::vector<ordered_json> rest(events.begin() + 5, events.end());
  EXPECT_EQ(Daemon::events_of(daemon->get(path + "?stream=true&starting_after=4")), rest);
  EXPECT_EQ(daemon->get(path + "?stream=true&starting_after=500").json()["error"]["param"], "starting_after");
  EXPECT_EQ(daemon->get(path + "?starting_after=x").json()["error"]["param"], "starting_after");
  EXPECT_EQ(daemon->retrieve(response["id"]), response);
}

TEST_F(Responses, ContinuesAConversationWithoutItsInstructions) {
  const ordered_json first = daemon->create({{"instructions", "shout"}, {"input", "one"}});
  const ordered_json second = daemon->create({{"previous_response_id", first["id"]}, {"input", "two"}});
  EXPECT_EQ(second["previous_response_id"], first["id"]);
  EXPECT_TRUE(second["instructions"].is_null());
  const std::string text = first["output"][0]["content"][0]["text"];
  const ordered_json whole = daemon->create({{"input",
                                              {{{"role", "user"}, {"content", "one"}},
                                               {{"role", "assistant"}, {"content", text}},
                                               {{"role", "user"}, {"content", "two"}}}}});
  EXPECT_EQ(second["usage"]["input_tokens"], whole["usage"]["input_tokens"]);
  EXPECT_EQ(second["output"][0]["content"], whole["output"][0]["content"]);
  // It does not depend on the first any more.
  EXPECT_EQ(daemon->call("DELETE", "/v1/responses/" + first["id"].get<std::string>()).json()["deleted"], true);
  const ordered_json third = daemon->create({{"previous_response_id", second["id"]}, {"input", "three"}});
  EXPECT_GT(third["usage"]["input_tokens"], second["usage"]["input_tokens"]);
  EXPECT_EQ(daemon->refusal({{"previous_response_id", first["id"]}}),
            "400 previous_response_not_found previous_response_id");
}

TEST_F(Responses, ListsWhatTheModelRead) {
  const ordered_json first = daemon->create({{"input", "one"}});
  const ordered_json second =
      daemon->create({{"previous_response_id", first["id"]},
                      {"input", {{{"role", "user"}, {"content", "two"}}, {{"role", "user"}, {"content", "three"}}}}});
  const std::string path = "/v1/responses/" + second["id"].get<std::string>() + "/input_items";
  const ordered_json all = daemon->get(path + "?order=asc").json();
  ASSERT_EQ(all["data"].size(), 4u);
  EXPECT_EQ(all["data"][0]["content"][0]["text"], "one");
  EXPECT_EQ(all["data"][1], first["output"][0]);
  EXPECT_EQ(all["has_more"], false);
  const ordered_json page = daemon->get(path + "?limit=2").json();
  EXPECT_EQ(page["data"][0]["content"][0]["text"], "three");
  EXPECT_EQ(page["has_more"], true);
  const ordered_json rest = daemon->get(path + "?limit=2&after=" + page["last_id"].get<std::string>()).json();
  EXPECT_EQ(rest["data"][1]["content"][0]["text"], "one");
  EXPECT_EQ(daemon->get(path + "?after=msg_none").json()["error"]["param"], "after");
}

TEST_F(Responses, AnItemIsReferredTo) {
  const ordered_json first = daemon->create({{"input", "one"}});
  const ordered_json referring =
      daemon->create({{"input", {{{"id", first["output"][0]["id"]}}, {{"role", "user"}, {"content", "go on"}}}}});
  const std::string path = "/v1/responses/" + referring["id"].get<std::string>() + "/input_items?order=asc";
  EXPECT_EQ(daemon->get(path).json()["data"][0], first["output"][0]);
}

TEST_F(Responses, WhatIsNotStoredIsNotThere) {
  const ordered_json response = daemon->create({{"store", false}});
  EXPECT_EQ(response["store"], false);
  EXPECT_EQ(daemon->get("/v1/responses/" + response["id"].get<std::string>()).status, 404);
  EXPECT_EQ(daemon->call("DELETE", "/v1/responses/resp_none").status, 404);
  EXPECT_EQ(daemon->call("POST", "/v1/responses/resp_none/cancel").status, 404);
  EXPECT_EQ(daemon->get("/v1/responses/resp_none/input_items").status, 404);
}

TEST_F(Responses, RefusesByTheNamesOfItsOwnFields) {
  EXPECT_EQ(daemon->refusal({{"model", "tinier"}}), "404 model_not_found model");
  EXPECT_EQ(daemon->refusal({{"input", std::string(4000, 'a')}}), "400 context_length_exceeded input");
  EXPECT_EQ(daemon->refusal({{"input", std::string(4000, 'a')}, {"stream", true}}),
            "400 context_length_exceeded input");
  EXPECT_THAT(daemon->post("/v1/responses", body_with({{"max_output_tokens", 4000}})).body,
              HasSubstr("lower max_output_tokens"));
  const ordered_json schema = {{"type", "object"}, {"properties", {{"a", {{"type", "colour"}}}}}};
  EXPECT_EQ(daemon->refusal({{"text", {{"format", {{"type", "json_schema"}, {"name", "n"}, {"schema", schema}}}}}}),
            "400 invalid_value /text/format/schema/properties/a/type");
  EXPECT_EQ(daemon->refusal({{"background", true}, {"store", false}}), "400 invalid_value background");
}

TEST_F(Responses, RunsInTheBackgroundAndIsFollowed) {
  *daemon->step_milliseconds = 20;
  const ordered_json begun = daemon->create({{"background", true}, {"max_output_tokens", 20}});
  EXPECT_EQ(begun["status"], "queued");
  const std::string path = "/v1/responses/" + begun["id"].get<std::string>();
  EXPECT_THAT(daemon->retrieve(begun["id"])["status"], testing::AnyOf("in_progress", "incomplete"));
  const std::vector<ordered_json> events = Daemon::events_of(daemon->get(path + "?stream=true"));
  EXPECT_EQ(events.back()["type"], "response.incomplete");
  EXPECT_EQ(daemon->retrieve(begun["id"]), events.back()["response"]);
  EXPECT_EQ(Daemon::events_of(daemon->get(path + "?stream=true")), events);
  EXPECT_EQ(daemon->call("POST", path + "/cancel").json()["status"], "incomplete");
}

TEST_F(Responses, ABackgroundStreamGoesOnWithoutItsClient) {
  *daemon->step_milliseconds = 20;
  std::string id;
  {
    test::HttpTestClient client(daemon->app->port());
    const std::string body = body_with({{"background", true}, {"stream", true}, {"max_output_tokens", 20}}).dump();
    client.send("POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
    std::string seen;
    while (id.empty()) {
      seen += client.read(64);
      const size_t at = seen.find("resp_");
      if (at != std::string::npos && seen.size() > at + 29) id = seen.substr(at, 29);
    }
  }
  EXPECT_EQ(daemon->ended(id)["usage"]["output_tokens"], 20);
}

TEST_F(Responses, CancelsWhatRunsInTheBackground) {
  *daemon->step_milliseconds = 50;
  const ordered_json begun = daemon->create({{"background", true}, {"max_output_tokens", 400}});
  const std::string path = "/v1/responses/" + begun["id"].get<std::string>();
  const ordered_json cancelled = daemon->call("POST", path + "/cancel").json();
  EXPECT_EQ(cancelled["status"], "cancelled");
  EXPECT_EQ(daemon->retrieve(begun["id"]), cancelled);
  EXPECT_TRUE(soon([] { return daemon->is_idle(); }));
  EXPECT_EQ(daemon->refusal({{"previous_response_id", begun["id"]}}), "400 invalid_value previous_response_id");
  const ordered_json foreground = daemon->create();
  EXPECT_EQ(daemon->call("POST", "/v1/responses/" + foreground["id"].get<std::string>() + "/cancel").status, 400);
}

TEST_F(Responses, DeletingEndsWhatRuns) {
  *daemon->step_milliseconds = 50;
  const ordered_json begun = daemon->create({{"background", true}, {"max_output_tokens", 400}});
  const std::string path = "/v1/responses/" + begun["id"].get<std::string>();
  EXPECT_EQ(daemon->call("DELETE", path).json()["object"], "response");
  EXPECT_TRUE(soon([] { return daemon->is_idle(); }));
  EXPECT_EQ(daemon->get(path).status, 404);
}

TEST_F(Responses, AClientThatLeavesEndsItsStream) {
  *daemon->step_milliseconds = 50;
  {
    test::HttpTestClient client(daemon->app->port());
    const std::string body = body_with({{"stream", true}, {"max_output_tokens", 400}}).dump();
    client.send("POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
    client.read(200);
  }
  EXPECT_TRUE(soon([] { return daemon->is_idle(); }));
}

TEST(ResponsesOfADaemon, AreThereAfterARestart) {
  test::TemporaryDirectory state;
  ordered_json kept;
  std::string running;
  {
    Daemon daemon(state.path());
    kept = daemon.create();
    *daemon.step_milliseconds = 50;
    running = daemon.create({{"background", true}, {"max_output_tokens", 400}})["id"];
  }
  Daemon daemon(state.path());
  EXPECT_EQ(daemon.retrieve(kept["id"]), kept);
  const ordered_json failed = daemon.retrieve(running);
  EXPECT_EQ(failed["status"], "failed");
  EXPECT_THAT(failed["error"]["message"].get<std::string>(), HasSubstr("daemon ended"));
}

TEST(ResponsesOfADaemon, ThatWasKilledAreFoundFailed) {
  test::TemporaryDirectory state;
  std::string id;
  {
    Daemon daemon(state.path());
    id = daemon.create({{"background", true}})["id"];
    daemon.ended(id);
  }
  {  // as a kill leaves it
    StateDirectory directory(state.path());
    directory.database().transaction([](SqlTransaction& sql) {
      sql.run(
          "UPDATE stored_answers SET has_ended = 0, pieces = NULL, object = json_set(object, '$.status', 'queued', "
          "'$.output', json('[]'), '$.usage', NULL)");
    });
  }
  Daemon daemon(state.path());
  const ordered_json failed = daemon.retrieve(id);
  EXPECT_EQ(failed["status"], "failed");
  EXPECT_EQ(failed["error"]["code"], "server_error");
  EXPECT_THAT(failed["error"]["message"].get<std::string>(), HasSubstr("daemon ended"));
  const auto events = Daemon::events_of(daemon.get("/v1/responses/" + id + "?stream=true"));
  EXPECT_EQ(events.back()["type"], "response.failed");
}

TEST(ResponsesOfADaemon, WithoutAStateDirectoryOrWithNoDaysAreNotKept) {
  test::TemporaryDirectory state;
  for (const bool has_state : {false, true}) {
    Daemon daemon(has_state ? state.path() : std::filesystem::path(),
                  [](AppOptions& options) { options.stored.retention = std::chrono::hours(0); });
    const ordered_json response = daemon.create({{"store", true}});
    EXPECT_EQ(response["store"], false);
    EXPECT_EQ(daemon.get("/v1/responses/" + response["id"].get<std::string>()).status, 400);
    EXPECT_EQ(daemon.refusal({{"previous_response_id", response["id"]}}), "400 invalid_value previous_response_id");
    EXPECT_EQ(daemon.refusal({{"background", true}}), "400 invalid_value background");
  }
}

TEST(ResponsesOfADaemon, AreSeenByTheirKeyAlone) {
  test::TemporaryDirectory state;
  Daemon daemon(state.path(), [](AppOptions& options) { options.api_keys = {"alpha", "beta"}; });
  const auto call = [&](const char* method, const std::string& path, const std::string& key, const std::string& body) {
    return fetch(daemon.app->port(), method, path, body, {"Authorization: Bearer " + key});
  };
  const HttpAnswer made = call("POST", "/v1/responses", "alpha", body_with().dump());
  ASSERT_EQ(made.status, 200) << made.body;
  const std::string path = "/v1/responses/" + made.json()["id"].get<std::string>();
  EXPECT_EQ(call("GET", path, "alpha", "").status, 200);
  EXPECT_EQ(call("GET", path, "beta", "").status, 404);
  EXPECT_EQ(call("DELETE", path, "beta", "").status, 404);
  EXPECT_EQ(
      call("POST", "/v1/responses", "beta", body_with({{"previous_response_id", made.json()["id"]}}).dump()).status,
      400);
}

}  // namespace
}  // namespace hearth
