// /v1/datasets over HTTP: uploads become data sets, what would be trained of them is shown as it is trained, and what
// is refused leaves nothing behind.
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "server/files/file_store.h"
#include "tests/server/test_app.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using test::fetch;
using test::HttpAnswer;
using test::TestApp;
using testing::HasSubstr;

constexpr const char* kAlpaca = R"([
{"instruction": "one", "input": "", "output": "two"},
{"instruction": "three", "input": "four", "output": "five six"},
{"instruction": "seven", "input": "", "output": null},
{"instruction": "one", "input": "", "output": "one two three four five six seven eight nine ten"}])";
constexpr const char* kPairs = R"({"prompt": "one", "chosen": "two", "rejected": "three four"})";
constexpr const char* kVerdicts = R"({"prompt": "one", "completion": "two", "label": false})";

class DatasetRoutesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    app = new TestApp([](AppOptions& options) { options.state_directory = state().path(); });
  }
  static void TearDownTestSuite() {
    delete app;
    app = nullptr;
  }
  static test::TemporaryDirectory& state() {
    static test::TemporaryDirectory directory;
    return directory;
  }
  static std::filesystem::path own() { return state().path() / "datasets"; }

  static std::string upload(const std::string& filename, const std::string& content) {
    return app->app->files().add({.purpose = "fine-tune", .filename = filename}, content).id;
  }
  static HttpAnswer create(const std::string& name, const std::string& file, Json more = Json::object()) {
    more["name"] = name;
    more["file_id"] = file;
    return app->post("/v1/datasets", more);
  }
  static HttpAnswer remove(const std::string& name) {
    return fetch(app->app->port(), "DELETE", "/v1/datasets/" + name);
  }
  static std::string yaml(const std::string& dataset, const std::string& more = "") {
    return "model_name_or_path: tiny\ndo_train: true\ntemplate: default\noutput_dir: /tmp/out\ndataset: " + dataset +
           "\ndataset_dir: " + own().string() + "\n" + more;
  }
  static HttpAnswer preview(const std::string& spec, Json more = Json::object()) {
    more["spec"] = spec;
    return app->post("/v1/datasets/preview", more);
  }
  // Of all parts, what is learnt in [ ].
  static std::string text_of(const Json& example) {
    std::string text;
    for (const Json& part : example["parts"]) {
      if (part["role"] != "text") text += part["role"].get<std::string>() + "=";
      for (const Json& segment : part["segments"])
        text +=
            segment["trained"] ? "[" + segment["text"].get<std::string>() + "]" : segment["text"].get<std::string>();
    }
    return text;
  }

  static TestApp* app;
};

TestApp* DatasetRoutesTest::app = nullptr;

TEST_F(DatasetRoutesTest, AnUploadBecomesADataSetAndGoesAgain) {
  EXPECT_EQ(app->get("/v1/datasets").json()["directory"], own().string());
  const std::string file = upload("My data.JSON", kAlpaca);
  const HttpAnswer created = create("alpaca", file);
  EXPECT_EQ(created.body,
            R"({"name":"alpaca","file_name":"alpaca.json","formatting":"alpaca","ranking":false,"kto":false,"bytes":)" +
                std::to_string(std::string(kAlpaca).size()) + R"(,"uploaded":true,"problem":null})");
  EXPECT_EQ(app->get("/v1/datasets").json()["data"], Json::array({created.json()}));
  EXPECT_EQ(read_file(own() / "alpaca.json"), kAlpaca);
  // The upload may go, the data set stays; another one may be added to it, which keeps what others wrote of the first.
  app->app->files().remove(file);
  Json info = Json::parse(read_file(own() / "dataset_info.json"));
  info["alpaca"]["note"] = "mine";
  write_file_atomic(own() / "dataset_info.json", info.dump());
  EXPECT_EQ(create("pairs", upload("pairs", kPairs)).json()["ranking"], true);
  EXPECT_EQ(Json::parse(read_file(own() / "dataset_info.json"))["alpaca"]["note"], "mine");
  EXPECT_EQ(create("alpaca", upload("b.json", kAlpaca)).error_code(), "already_exists");
  std::filesystem::remove(own() / "pairs.json");
  EXPECT_THAT(app->get("/v1/datasets?directory=" + own().string()).json()["data"][1]["problem"],
              HasSubstr("there is no " + (own() / "pairs.json").string()));
  EXPECT_EQ(remove("alpaca").json()["deleted"], true);
  EXPECT_FALSE(std::filesystem::exists(own() / "alpaca.json"));
  EXPECT_EQ(remove("alpaca").status, 404);
  EXPECT_EQ(remove("pairs").status, 200);
  EXPECT_EQ(app->get("/v1/datasets").json()["data"], Json::array());
}

TEST_F(DatasetRoutesTest, WhatIsGivenIsTakenAndHeldAgainstTheRows) {
  const std::string file = upload("rows.csv", "q,a\none,two\n");
  EXPECT_EQ(create("given", file, {{"formatting", "alpaca"}, {"columns", {{"prompt", "q"}, {"response", "a"}}}}).status,
            200);
  EXPECT_EQ(Json::parse(read_file(own() / "dataset_info.json"))["given"].dump(),
            R"({"file_name":"given.csv","formatting":"alpaca","columns":{"prompt":"q","response":"a"}})");
  EXPECT_EQ(remove("given").status, 200);
  // An entry that names a file elsewhere does not take it away.
  write_file_atomic(state().path() / "kept.json", kAlpaca);
  write_file_atomic(own() / "dataset_info.json", R"({"kept": {"file_name": "../kept.json"}})");
  EXPECT_EQ(remove("kept").status, 200);
  EXPECT_TRUE(std::filesystem::exists(state().path() / "kept.json"));
}

TEST_F(DatasetRoutesTest, RefusalsNameTheFieldAndLeaveNothing) {
  const std::string good = upload("rows.json", kAlpaca), unknown = upload("rows.json", R"([{"a": "b"}])"),
                    untold = upload("rows", "a,b"), broken = upload("rows.json", R"([{"text": "a"}, {"text": )"),
                    empty = upload(
                        "rows.json",
                        R"([{"conversations": [{"from": "gpt", "value": "a"}, {"from": "human", "value": "b"}]}])");
  const struct {
    std::string name, file;
    const char *more, *param, *part;
  } kCases[] = {
      {"../x", good, "{}", "name", "'name' is '../x', must be 1 to 64 letters"},
      {"", good, "{}", "name", "must be 1 to 64"},
      {std::string(65, 'a'), good, "{}", "name", "must be 1 to 64"},
      {"dataset_info", good, "{}", "name", "the list of data sets itself"},
      {"x", unknown, "{}", "file_id", "the first rows have the columns 'a'"},
      {"x", untold, "{}", "file_id", "upload it with a name that ends in .json"},
      {"x", broken, "{}", "file_id", "row 2"},
      {"x", empty, "{}", "file_id",
       "nothing can be learnt from its rows, such as x.json, row 1: column 'conversations': message 1"},
      {"x", good, R"({"ranking": true})", "ranking", "goes with 'formatting'"},
      {"x", good, R"({"formatting": "alpca"})", "file_id", "did you mean 'alpaca'?"},
      {"x", good, R"({"formatting": "alpaca", "columns": {"prompt": "instrction"}})", "file_id",
       "did you mean 'instruction'?"},
      {"x", good, R"({"formatting": "alpaca", "columns": [1]})", "file_id", "columns must be an object"},
  };
  for (const auto& [name, file, more, param, part] : kCases) {
    const HttpAnswer answer = create(name, file, Json::parse(more));
    EXPECT_EQ(answer.status, 400) << part;
    const Json error = answer.json()["error"];
    EXPECT_EQ(error["param"], param) << part;
    EXPECT_THAT(error["message"], HasSubstr(part));
  }
  EXPECT_EQ(create("x", "file-nothing").status, 404);
  EXPECT_EQ(app->get("/v1/datasets").json()["data"], Json::array());
  for (const auto& entry : std::filesystem::directory_iterator(own()))
    EXPECT_EQ(entry.path().filename(), "dataset_info.json");
  EXPECT_EQ(app->get("/v1/datasets?directory=data").json()["error"]["param"], "directory");
  EXPECT_EQ(app->get("/v1/datasets?directory=/nowhere").json()["error"]["param"], "directory");
}

TEST_F(DatasetRoutesTest, APreviewShowsWhatIsTrained) {
  create("alpaca", upload("a.json", kAlpaca));
  const Json page = preview(yaml("alpaca", "cutoff_len: 40\npacking: true\nval_size: 0.5\n")).json();
  EXPECT_EQ(page["object"], "dataset.preview");
  EXPECT_EQ(page["template"], "template 'default'");
  EXPECT_THAT(page["spec"], HasSubstr("cutoff_len: 40"));
  EXPECT_EQ(page["has_more"], false);
  ASSERT_EQ(page["data"].size(), 3);
  EXPECT_EQ(text_of(page["data"][0]), "Human: one<|im_end|>\nAssistant:[two<|im_end|>\n]");
  EXPECT_EQ(text_of(page["data"][1]), "Human: three\nfour<|im_end|>\nAssistant:[five six<|im_end|>\n]");
  EXPECT_EQ(page["data"][2]["index"], 3);
  EXPECT_EQ(page["data"][2]["truncated"], true);
  EXPECT_EQ(page["data"][2]["tokens"], 39);  // with packing LLaMA-Factory takes one less
  EXPECT_EQ(page["data"][0]["truncated"], false);
  EXPECT_THAT(page["warnings"].back(), HasSubstr("but the checkpoint's own chat template writes"));
  EXPECT_EQ(page["dropped"], Json::array({"alpaca.json, row 3: no response to learn"}));

  const Json second = preview(yaml("alpaca"), {{"offset", 1}, {"limit", 1}}).json();
  EXPECT_EQ(second["data"].size(), 1);
  EXPECT_EQ(second["data"][0]["index"], 1);
  EXPECT_EQ(second["offset"], 1);
  EXPECT_EQ(second["has_more"], true);
  EXPECT_EQ(preview(yaml("alpaca"), {{"offset", 9}}).json()["data"], Json::array());
  EXPECT_EQ(preview(yaml("alpaca", "max_samples: 1\n")).json()["data"].size(), 1);
  // Only the YAML is looked at.
  EXPECT_EQ(preview(yaml("nothing"), {{"limit", 0}}).json()["template"], nullptr);

  create("pairs", upload("p.jsonl", kPairs));
  EXPECT_EQ(create("verdicts", upload("v.jsonl", kVerdicts)).json()["kto"], true);
  EXPECT_EQ(text_of(preview(yaml("pairs", "stage: dpo\n")).json()["data"][0]),
            "chosen=Human: one<|im_end|>\nAssistant:[two<|im_end|>\n]"
            "rejected=Human: one<|im_end|>\nAssistant:[three four<|im_end|>\n]");
  EXPECT_EQ(text_of(preview(yaml("verdicts"), {{"overrides", {"stage=kto"}}}).json()["data"][0]),
            "kto_tag: false=Human: one<|im_end|>\nAssistant:[two<|im_end|>\n]");
  for (const char* name : {"alpaca", "pairs", "verdicts"}) remove(name);
}

TEST_F(DatasetRoutesTest, APreviewRefusesWhatAJobRefuses) {
  create("alpaca", upload("a.json", kAlpaca));
  const struct {
    std::string spec;
    const char *more, *param, *part;
  } kCases[] = {
      {yaml("alpaca", "lora_rnk: 8\n"), "{}", "spec", "did you mean 'lora_rank'?"},
      {yaml("alpca"), "{}", "spec", "Undefined dataset alpca"},
      {yaml("alpaca", "stage: dpo\n"), "{}", "spec", "not applicable in the current training stage"},
      {yaml("alpaca"), R"({"overrides": ["model_name_or_path=nowhere"]})", "spec", "nowhere"},
      {yaml("alpaca"), R"({"overrides": ["dataset_dir=data"]})", "directory",
       "is needed where dataset_dir is relative"},
      {yaml("alpaca"), R"({"directory": "data"})", "directory", "must be an absolute path"},
      {yaml("alpaca"), R"({"limit": 51})", "limit", "50"},
      {yaml("alpaca"), R"({"offset": -1})", "offset", "0"},
  };
  for (const auto& [spec, more, param, part] : kCases) {
    const HttpAnswer answer = preview(spec, Json::parse(more));
    EXPECT_EQ(answer.status, 400) << part << answer.body;
    EXPECT_EQ(answer.json()["error"]["param"], param) << part;
    EXPECT_THAT(answer.json()["error"]["message"], HasSubstr(part));
  }
  remove("alpaca");
}

}  // namespace
}  // namespace hearth
