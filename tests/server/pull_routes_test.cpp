// /v1/pulls against a hub on loopback: what is pulled is served, two at a time, and ends when it is told to.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "tests/server/hub/small_hub.h"
#include "tests/server/test_app.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using test::HttpAnswer;
using test::TestApp;
using testing::HasSubstr;

class PullRoutesTest : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("HF_HUB_CACHE", cache_.path().c_str(), 1);
    ::setenv("HF_ENDPOINT", hub_.endpoint().c_str(), 1);
    for (const auto& entry : std::filesystem::directory_iterator(app_.directory.path()))
      hub_.files[entry.path().filename().string()] = {read_file(entry.path()), false, {}};
  }
  void TearDown() override {
    for (const char* name : {"HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE"}) ::unsetenv(name);
  }

  HttpAnswer start(const std::string& name) const { return app_.post("/v1/pulls", {{"name", name}}); }
  Json pull(const std::string& id) const {
    const Json list = app_.get("/v1/pulls").json();
    for (const Json& one : list["data"])
      if (one["id"] == id) return one;
    return {};
  }
  Json ended(const std::string& id) const {
    EXPECT_TRUE(test::soon([&] { return pull(id)["status"] != "running"; }));
    return pull(id);
  }
  void be_slow() { hub_.milliseconds_per_piece = 30; }  // of 4 kB

  test::TemporaryDirectory cache_;
  SmallHub hub_;
  TestApp app_;
};

TEST_F(PullRoutesTest, WhatIsPulledIsServed) {
  const HttpAnswer started = start("tiny/llama");
  ASSERT_EQ(started.status, 200) << started.body;
  EXPECT_EQ(started.json()["status"], "running");
  const Json done = ended(started.json()["id"]);
  EXPECT_EQ(done["status"], "succeeded") << done;
  EXPECT_EQ(done["model"], "tiny/llama");
  EXPECT_EQ(done["error"], nullptr);
  EXPECT_EQ(done["bytes"], done["total_bytes"]);
  EXPECT_GT(done["bytes"], 10'000);
  EXPECT_GE(done["finished_at"], done["started_at"]);
  EXPECT_EQ(app_.get("/v1/models/tiny/llama").json()["state"], "unloaded");
  EXPECT_GT(app_.get("/v1/models/tiny/llama").json()["memory_bytes"], 10'000);
  EXPECT_EQ(app_.post("/v1/completions", {{"model", "tiny/llama"}, {"prompt", "a"}, {"max_tokens", 1}}).status, 200);
  EXPECT_EQ(test::fetch(app_.app->port(), "DELETE", "/v1/models/tiny/llama").status, 403);
  // Again: nothing is left to fetch, and it is known already.
  const Json again = ended(start("tiny/llama").json()["id"]);
  EXPECT_EQ(again["model"], "tiny/llama");
  EXPECT_EQ(again["files"], 0);
  EXPECT_EQ(app_.get("/v1/pulls").json()["data"][0], again) << "newest first";
}

TEST_F(PullRoutesTest, WhatWasPulledIsServedByTheNextDaemonForAsLongAsItIsThere) {
  const test::TemporaryDirectory state;
  const auto with_state = [&](AppOptions& options) { options.state_directory = state.path(); };
  {
    const TestApp first(with_state);
    const std::string id = first.post("/v1/pulls", {{"name", "tiny/llama"}}).json()["id"];
    ASSERT_TRUE(test::soon([&] { return first.get("/v1/models/tiny/llama").status == 200; })) << id;
  }
  EXPECT_EQ(TestApp(with_state).get("/v1/models/tiny/llama").json()["state"], "unloaded");
  std::filesystem::remove_all(cache_.path());
  EXPECT_EQ(TestApp(with_state).get("/v1/models/tiny/llama").status, 404);
}

TEST_F(PullRoutesTest, TwoAtATimeAndTheSameOnceAndCancelled) {
  be_slow();
  const std::string first = start("tiny/llama").json()["id"];
  EXPECT_EQ(start("tiny/llama").json()["id"], first);
  const std::string second = start("tiny/llama@main").json()["id"];
  EXPECT_NE(second, first);
  const HttpAnswer third = start("tiny/other");
  EXPECT_EQ(third.status, 429);
  EXPECT_EQ(third.error_code(), "too_many_pulls");
  EXPECT_EQ(app_.post("/v1/pulls/" + first + "/cancel", {}).status, 200);
  const Json cancelled = ended(first);
  EXPECT_EQ(cancelled["status"], "cancelled");
  EXPECT_EQ(cancelled["model"], nullptr);
  EXPECT_EQ(app_.post("/v1/pulls/" + first + "/cancel", {}).status, 400);
  EXPECT_EQ(app_.post("/v1/pulls/pull-none/cancel", {}).status, 404);
  // The daemon does not wait for the other one.
  const auto before = std::chrono::steady_clock::now();
  app_.app->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(1500));
}

TEST_F(PullRoutesTest, RefusalsAndFailuresSayWhy) {
  const HttpAnswer none = start("no such thing");
  EXPECT_EQ(none.status, 400);
  EXPECT_EQ(none.json()["error"]["param"], "name");
  const Json missing = ended(start("tiny/other").json()["id"]);
  EXPECT_EQ(missing["status"], "failed");
  EXPECT_THAT(missing["error"], HasSubstr("tiny/other"));
  // Whole, but nothing that can be served.
  hub_.files["config.json"] = {R"({"model_type": "nothing"})", false, {}};
  const Json unusable = ended(start("tiny/llama").json()["id"]);
  EXPECT_EQ(unusable["status"], "failed");
  EXPECT_THAT(unusable["error"], HasSubstr("nothing"));
  ::setenv("HF_HUB_OFFLINE", "1", 1);
  const HttpAnswer offline = start("tiny/llama");
  EXPECT_EQ(offline.status, 400);
  EXPECT_THAT(offline.body, HasSubstr("HF_HUB_OFFLINE is 1"));
}

}  // namespace
}  // namespace hearth
