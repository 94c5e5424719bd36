// /v1/files over HTTP: what is taken, what is told of what is not, and that nothing stays of what was refused.
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/test_app.h"

namespace hearth {
namespace {

using test::fetch;
using test::HttpAnswer;
using test::soon;
using test::TestApp;

struct Field {
  std::string parameters, value;
};
const Field kPurpose{"name=\"purpose\"", "fine-tune"};
const Field kFile{"name=\"file\"; filename=\"../a b.jsonl\"", "{\"a\": 1}\n"};

class FileRoutesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    app = new TestApp([](AppOptions& options) {
      options.state_directory = state().path();
      options.max_files_bytes = 100'000;
    });
  }
  static void TearDownTestSuite() {
    delete app;
    app = nullptr;
  }
  static test::TemporaryDirectory& state() {
    static test::TemporaryDirectory directory;
    return directory;
  }

  static HttpAnswer upload(const std::vector<Field>& fields) {
    std::string body;
    for (const Field& field : fields)
      body += "--B\r\nContent-Disposition: form-data; " + field.parameters + "\r\n\r\n" + field.value + "\r\n";
    return fetch(app->app->port(), "POST", "/v1/files", body + "--B--\r\n",
                 {"Content-Type: multipart/form-data; boundary=B"});
  }
  static std::string uploaded(const std::vector<Field>& fields) { return upload(fields).json()["id"]; }
  static HttpAnswer call(const char* method, const std::string& path) { return fetch(app->app->port(), method, path); }
  static size_t files_on_disk() {
    const std::filesystem::directory_iterator entries(state().path() / "files");
    return static_cast<size_t>(std::distance(begin(entries), end(entries)));
  }

  static TestApp* app;
};

TestApp* FileRoutesTest::app = nullptr;

TEST_F(FileRoutesTest, AFileComesBackAsItWas) {
  for (const auto& fields : {std::vector{kPurpose, kFile}, {kFile, kPurpose}, {kFile, {"name=other", "1"}, kPurpose}}) {
    const HttpAnswer answer = upload(fields);
    ASSERT_EQ(answer.status, 200) << answer.body;
    const auto file = answer.json();
    EXPECT_EQ(file["object"], "file");
    EXPECT_EQ(file["bytes"], kFile.value.size());
    EXPECT_EQ(file["filename"], "../a b.jsonl");
    EXPECT_EQ(file["purpose"], "fine-tune");
    EXPECT_EQ(file["status"], "processed");
    EXPECT_FALSE(file.contains("expires_at"));
    const std::string path = "/v1/files/" + file["id"].get<std::string>();
    EXPECT_EQ(call("GET", path).json(), file);
    EXPECT_EQ(call("GET", path + "/content").body, kFile.value);
    EXPECT_EQ(call("GET", path + "/content").headers.at("content-type"), "application/octet-stream");
    EXPECT_EQ(call("DELETE", path).json()["deleted"], true);
    for (const std::string& gone : {path, path + "/content"}) EXPECT_EQ(call("GET", gone).error_code(), "not_found");
    EXPECT_EQ(call("DELETE", path).status, 404);
  }
}

TEST_F(FileRoutesTest, AnExpiryIsCountedFromTheUpload) {
  const auto file =
      upload({{"name=expires_after[anchor]", "created_at"}, {"name=expires_after[seconds]", "3600"}, kPurpose, kFile})
          .json();
  EXPECT_EQ(file["expires_at"].get<int64_t>() - file["created_at"].get<int64_t>(), 3600);
}

TEST_F(FileRoutesTest, WhatIsWrongIsNamedAndLeavesNothing) {
  const size_t before = files_on_disk();
  struct Case {
    std::vector<Field> fields;
    int status;
    const char* code;
    const char* param;
  };
  const Field anchor{"name=expires_after[anchor]", "created_at"}, other_anchor{"name=expires_after[anchor]", "now"};
  const auto seconds = [](const char* value) { return Field{"name=expires_after[seconds]", value}; };
  const auto purpose = [](const char* value) { return Field{"name=purpose", value}; };
  const Case cases[] = {
      {{kPurpose}, 400, "missing_required_parameter", "file"},
      {{kFile}, 400, "missing_required_parameter", "purpose"},
      {{purpose("fun"), kFile}, 400, "invalid_value", "purpose"},
      {{kFile, purpose("")}, 400, "invalid_value", "purpose"},
      {{kFile, purpose("fine-tune-results")}, 400, "invalid_value", "purpose"},
      {{kPurpose, kPurpose, kFile}, 400, "invalid_value", "purpose"},
      {{purpose(std::string(300, 'x').c_str()), kFile}, 400, "invalid_value", "purpose"},
      {{kPurpose, kFile, kFile}, 400, "invalid_value", "file"},
      {{kPurpose, {"name=file", "text"}}, 400, "invalid_value", "file"},
      {{kPurpose, {"name=file; filename=a", ""}}, 400, "invalid_value", "file"},
      {{kPurpose, {"name=file; filename=\"\"", "1"}}, 400, "invalid_value", "file"},
      {{kPurpose, {"name=file; filename=\"a%0Ab\"", "1"}}, 400, "invalid_value", "file"},
      {{kPurpose, {"name=file; filename=\"\xff\"", "1"}}, 400, "invalid_value", "file"},
      {{kPurpose, {"name=file; filename=" + std::string(1025, 'a'), "1"}}, 400, "invalid_value", "file"},
      {{anchor, kPurpose, kFile}, 400, "invalid_value", "expires_after[seconds]"},
      {{anchor, seconds("3599"), kPurpose, kFile}, 400, "invalid_value", "expires_after[seconds]"},
      {{anchor, seconds("2592001"), kPurpose, kFile}, 400, "invalid_value", "expires_after[seconds]"},
      {{anchor, seconds("1e4"), kPurpose, kFile}, 400, "invalid_value", "expires_after[seconds]"},
      {{seconds("3600"), kPurpose, kFile}, 400, "invalid_value", "expires_after[anchor]"},
      {{other_anchor, seconds("3600"), kPurpose, kFile}, 400, "invalid_value", "expires_after[anchor]"},
      {{kPurpose, {"name=file; filename=a", std::string(100'001, 'x')}}, 507, "storage_full", nullptr},
  };
  for (const Case& one : cases) {
    const HttpAnswer answer = upload(one.fields);
    EXPECT_EQ(answer.status, one.status) << answer.body;
    EXPECT_EQ(answer.error_code(), one.code) << answer.body;
    const auto param = answer.json()["error"]["param"];
    EXPECT_EQ(param, one.param ? nlohmann::ordered_json(one.param) : nlohmann::ordered_json()) << answer.body;
    EXPECT_EQ(answer.headers.contains("x-should-retry"), one.status == 507);
  }
  EXPECT_EQ(call("POST", "/v1/files").status, 415);
  EXPECT_EQ(fetch(app->app->port(), "POST", "/v1/files", "{}", {"Content-Type: application/json"}).status, 415);
  EXPECT_EQ(
      fetch(app->app->port(), "POST", "/v1/files", "--B", {"Content-Type: multipart/form-data; boundary=B"}).status,
      400);
  EXPECT_EQ(files_on_disk(), before);
}

TEST_F(FileRoutesTest, AClientThatLeavesLeavesNothing) {
  const size_t before = files_on_disk();
  {
    test::HttpTestClient client(app->app->port());
    client.send(
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\n\r\n--B\r\n"
        "Content-Disposition: form-data; name=file; filename=a\r\n\r\n0123456789");
    ASSERT_TRUE(soon([&] { return files_on_disk() == before + 1; }));
  }
  EXPECT_TRUE(soon([&] { return files_on_disk() == before; }));
}

TEST_F(FileRoutesTest, ListsPageAndFilter) {
  const std::string first = uploaded({kPurpose, kFile}), second = uploaded({{"name=purpose", "evals"}, kFile}),
                    third = uploaded({kPurpose, kFile});
  const auto newest = call("GET", "/v1/files?limit=2").json();
  EXPECT_EQ(newest["object"], "list");
  EXPECT_EQ(newest["data"].size(), 2);
  EXPECT_EQ(newest["first_id"], third);
  EXPECT_EQ(newest["last_id"], second);
  EXPECT_EQ(newest["has_more"], true);
  EXPECT_EQ(call("GET", "/v1/files?limit=1&after=" + second).json()["first_id"], first);
  EXPECT_EQ(call("GET", "/v1/files?order=asc&after=" + first + "&limit=1").json()["first_id"], second);
  EXPECT_EQ(call("GET", "/v1/files?purpose=evals").json()["data"].size(), 1);
  EXPECT_EQ(call("GET", "/v1/files?purpose=none").json()["last_id"], nullptr);
  for (const char* query : {"limit=0", "limit=10001", "order=up", "after=file-none", "after=%zz"})
    EXPECT_EQ(call("GET", std::string("/v1/files?") + query).status, 400) << query;
  EXPECT_EQ(call("PUT", "/v1/files/" + first).status, 405);
}

TEST(FileRoutes, WithoutAStateDirectoryThereAreNone) {
  const TestApp app;
  EXPECT_EQ(app.get("/v1/files").status, 400);
}

}  // namespace
}  // namespace hearth
