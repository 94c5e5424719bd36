// Chat completions with "store": true over HTTP: list, retrieve, messages, update, delete.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/test_app.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using test::fetch;
using test::HttpAnswer;
using test::TestApp;

class StoredCompletions : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    static test::TemporaryDirectory state;
    daemon = new TestApp([](AppOptions& options) { options.state_directory = state.path(); });
  }
  static void TearDownTestSuite() { delete daemon; }
  static HttpAnswer post(const ordered_json& fields) {
    ordered_json body = {{"model", "tiny"},    {"messages", {{{"role", "user"}, {"content", "say something"}}}},
                         {"max_tokens", 4},    {"temperature", 0},
                         {"ignore_eos", true}, {"store", true}};
    body.update(fields);
    return daemon->post("/v1/chat/completions", body);
  }
  static HttpAnswer call(const char* method, const std::string& path, const std::string& body = "") {
    return fetch(daemon->app->port(), method, "/v1/chat/completions" + path, body);
  }
  static std::string path_of(const ordered_json& completion) { return "/" + completion["id"].get<std::string>(); }
  static std::vector<std::string> ids(const ordered_json& list) {
    std::vector<std::string> out;
    for (const ordered_json& row : list["data"]) out.push_back(row["id"]);
    return out;
  }
  static inline TestApp* daemon = nullptr;
};

TEST_F(StoredCompletions, AreRetrievedWithTheirMetadata) {
  ordered_json made = post({{"metadata", {{"story", "one"}}}}).json();
  const ordered_json kept = call("GET", path_of(made)).json();
  made["metadata"] = {{"story", "one"}};
  EXPECT_EQ(kept, made);
  EXPECT_EQ(call("GET", path_of(post({{"store", false}}).json())).status, 404);
}

TEST_F(StoredCompletions, AStreamIsKeptWhole) {
  const HttpAnswer answer = post({{"stream", true}, {"n", 2}, {"logprobs", true}});
  const ordered_json first = ordered_json::parse(answer.events().front());
  const ordered_json kept = call("GET", path_of(first)).json();
  EXPECT_EQ(kept["object"], "chat.completion");
  EXPECT_EQ(kept["created"], first["created"]);
  const ordered_json whole = post({{"n", 2}, {"logprobs", true}}).json();
  EXPECT_EQ(kept["choices"], whole["choices"]);
  EXPECT_EQ(kept["usage"]["completion_tokens"], 8);
}

TEST_F(StoredCompletions, KeepTheirMessages) {
  const ordered_json messages = ordered_json::parse(R"([{"role": "system", "content": "s", "id": 5},
    {"role": "user", "content": [{"type": "text", "text": "a"}], "name": "u"}])");
  const ordered_json made = post({{"messages", messages}}).json();
  const ordered_json list = call("GET", path_of(made) + "/messages").json();
  ASSERT_EQ(list["data"].size(), 2u);
  EXPECT_EQ(list["data"][0]["content"], "s");
  EXPECT_EQ(list["data"][0]["id"], made["id"].get<std::string>() + "-0");
  EXPECT_TRUE(list["data"][1]["content"].is_null());
  EXPECT_EQ(list["data"][1]["content_parts"], messages[1]["content"]);
  EXPECT_EQ(call("GET", path_of(made) + "/messages?limit=1&order=desc").json()["data"][0]["role"], "user");
}

TEST_F(StoredCompletions, ListsArePagedAndFiltered) {
  std::vector<std::string> made;
  for (const char* value : {"x", "y", "x"}) made.push_back(post({{"metadata", {{"list", value}}}}).json()["id"]);
  EXPECT_EQ(ids(call("GET", "?metadata[list]=x").json()), (std::vector<std::string>{made[0], made[2]}));
  const ordered_json newest = call("GET", "?order=desc&limit=2&model=tiny").json();
  EXPECT_EQ(ids(newest), (std::vector<std::string>{made[2], made[1]}));
  EXPECT_EQ(newest["has_more"], true);
  EXPECT_EQ(ids(call("GET", "?order=desc&limit=1&after=" + made[1]).json()), std::vector<std::string>{made[0]});
  EXPECT_TRUE(call("GET", "?model=other").json()["data"].empty());
  EXPECT_EQ(call("GET", "?after=chatcmpl-none").json()["error"]["param"], "after");
}

TEST_F(StoredCompletions, GetOtherMetadataAndGo) {
  const ordered_json made = post({{"metadata", {{"a", "b"}}}}).json();
  EXPECT_EQ(call("POST", path_of(made), R"({"metadata": {"c": "d"}})").json()["metadata"],
            ordered_json::parse(R"({"c": "d"})"));
  EXPECT_EQ(call("POST", path_of(made), R"({"metadata": null})").json()["metadata"], ordered_json::object());
  EXPECT_EQ(call("POST", path_of(made), "{}").json()["error"]["param"], "metadata");
  EXPECT_EQ(call("POST", path_of(made), "[]").status, 400);
  EXPECT_EQ(call("DELETE", path_of(made)).json()["object"], "chat.completion.deleted");
  for (const char* method : {"GET", "DELETE"}) EXPECT_EQ(call(method, path_of(made)).status, 404);
  EXPECT_EQ(call("POST", path_of(made), R"({"metadata": {}})").status, 404);
}

TEST_F(StoredCompletions, RefuseMetadataThatIsTooMuch) {
  const auto param = [](const ordered_json& metadata) {
    const HttpAnswer answer = post({{"metadata", metadata}});
    EXPECT_EQ(answer.status, 400) << answer.body;
    return answer.json()["error"]["param"].get<std::string>();
  };
  ordered_json many = ordered_json::object();
  for (int i = 0; i < 17; ++i) many["k" + std::to_string(i)] = "v";
  EXPECT_EQ(param(many), "metadata");
  EXPECT_EQ(param({{std::string(65, 'k'), "v"}}), "metadata");
  EXPECT_EQ(param({{"k", std::string(513, 'v')}}), "metadata.k");
  EXPECT_EQ(param({{"k", 5}}), "metadata.k");
  EXPECT_EQ(param("text"), "metadata");
  std::string characters;
  for (int i = 0; i < 512; ++i) characters += "é";
  EXPECT_EQ(post({{"metadata", {{"k", characters}}}}).status, 200);
}

}  // namespace
}  // namespace hearth
