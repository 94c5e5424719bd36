// /v1/jobs over HTTP without a worker: what a job is asked for and where it writes, served models in its YAML, and the
// files that it leaves.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/file.h"
#include "server/jobs/tar.h"
#include "tests/server/test_app.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using test::HttpAnswer;
using test::TestApp;
using testing::HasSubstr;

class JobRoutesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    app = new TestApp([](AppOptions& options) {
      options.state_directory = folder().path() / "state";
      options.jobs.max_jobs = 0;
      options.models.front().adapters = {{"tuned", "tests/golden/peft_adapters/plain"}};
    });
  }
  static void TearDownTestSuite() {
    delete app;
    app = nullptr;
  }
  static test::TemporaryDirectory& folder() {
    static test::TemporaryDirectory directory;
    return directory;
  }

  static HttpAnswer submit(const std::string& model, const std::string& output_dir, const std::string& more = "") {
    Json body = {{"spec", "model_name_or_path: " + model + "\ndo_train: true\ndataset: d\noutput_dir: " + output_dir +
                              "\n" + more},
                 {"directory", folder().path().string()}};
    return app->post("/v1/jobs", body);
  }
  static Json job_of(const HttpAnswer& submitted) {
    return app->get("/v1/jobs/" + submitted.json()["id"].get<std::string>()).json();
  }

  static TestApp* app;
};

TestApp* JobRoutesTest::app = nullptr;

TEST_F(JobRoutesTest, OneJobIsShownWithWhatItWasAskedFor) {
  const HttpAnswer submitted = submit("tiny", "out/../runs/one", "fp16: true\nddp_timeout: 5\n");
  const Json job = job_of(submitted);
  EXPECT_EQ(job["directory"], folder().path().string());
  EXPECT_EQ(job["output_dir"], (folder().path() / "runs/one").string());
  EXPECT_THAT(job["spec"], HasSubstr("model_name_or_path: \"" + app->directory.path().string() + "\"\n"));
  EXPECT_THAT(job["warnings"].dump(), HasSubstr("ddp_timeout"));
  EXPECT_EQ(submitted.json()["warnings"], job["warnings"]);
  const Json list = app->get("/v1/jobs").json();
  for (const Json& listed : list["data"]) EXPECT_FALSE(listed.contains("spec"));
}

TEST_F(JobRoutesTest, AServedIdStandsForItsFiles) {
  const std::string plain = fs::absolute("tests/golden/peft_adapters/plain").string(),
                    dora = fs::absolute("tests/golden/peft_adapters/dora").string(),
                    base = "model_name_or_path: \"" + app->directory.path().string() + "\"\n";
  for (const char* id : {"tuned", "tiny:tuned"}) {
    const std::string spec = job_of(submit(id, "/out"))["spec"];
    EXPECT_THAT(spec, HasSubstr(base));
    EXPECT_THAT(spec, HasSubstr(plain)) << id;
  }
  const std::string other = job_of(submit("tuned", "/out", "adapter_name_or_path: " + dora + "\n"))["spec"];
  EXPECT_THAT(other, HasSubstr(base));
  EXPECT_THAT(other, HasSubstr(dora));
  EXPECT_THAT(other, testing::Not(HasSubstr(plain)));
  EXPECT_THAT(job_of(submit("elsewhere", "/out"))["spec"], HasSubstr("model_name_or_path: \"elsewhere\"\n"));
  // What the served adapter makes wrong is told as what stands in the YAML is.
  const HttpAnswer full = submit("tuned", "/out", "finetuning_type: full\n");
  EXPECT_EQ(full.status, 400);
  EXPECT_THAT(full.json()["error"]["message"], HasSubstr("'adapter_name_or_path' is for 'finetuning_type: lora' only"));
}

TEST_F(JobRoutesTest, AYamlWithExportDirIsAnExport) {
  const auto submit_export = [&](const std::string& spec, Json overrides = Json::array()) {
    return app->post("/v1/jobs", {{"spec", spec}, {"overrides", overrides}, {"directory", folder().path().string()}});
  };
  const Json job =
      job_of(submit_export("model_name_or_path: tuned\nexport_dir: merged\nexport_device: auto\n", {"export_size=2"}));
  EXPECT_EQ(job["kind"], "export");
  EXPECT_EQ(job["output_dir"], (folder().path() / "merged").string());
  const std::string spec = job["spec"];
  EXPECT_THAT(spec, HasSubstr("model_name_or_path: " + app->directory.path().string() + "\n"));
  EXPECT_THAT(spec, HasSubstr(fs::absolute("tests/golden/peft_adapters/plain").string())) << "of the served id";
  EXPECT_THAT(spec, HasSubstr("export_size: 2\n"));
  EXPECT_EQ(job_of(submit("tiny", "/out", "export_dir: merged\n"))["kind"], "train") << "it has output_dir too";

  const HttpAnswer unknown = submit_export("model_name_or_path: tiny\nexport_dir: merged\nexport_siez: 2\n");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.json()["error"]["param"], "spec");
  EXPECT_THAT(unknown.json()["error"]["message"], HasSubstr("spec:3: unknown key 'export_siez'"));
  const HttpAnswer nowhere = app->post("/v1/jobs", {{"spec", "model_name_or_path: tiny\nexport_dir: merged\n"}});
  EXPECT_EQ(nowhere.json()["error"]["param"], "directory");
}

TEST_F(JobRoutesTest, AYamlWithTaskIsAnEvaluation) {
  const auto submit_spec = [&](const std::string& spec, Json overrides = Json::array()) {
    return app->post("/v1/jobs", {{"spec", spec}, {"overrides", overrides}, {"directory", folder().path().string()}});
  };
  const Json job = job_of(submit_spec("model_name_or_path: tuned\ntask: mmlu_test\n", {"save_dir=runs/mmlu"}));
  EXPECT_EQ(job["kind"], "eval");
  EXPECT_EQ(job["output_dir"], (folder().path() / "runs/mmlu").string());
  EXPECT_THAT(job["spec"].get<std::string>(), HasSubstr(fs::absolute("tests/golden/peft_adapters/plain").string()));
  EXPECT_THAT(submit_spec("model_name_or_path: tiny\ntask: mmlu_test\n").json()["error"]["message"],
              HasSubstr("lacks 'save_dir'"));
  const std::string held_out = "model_name_or_path: tiny\ndataset: d\nval_size: 0.1\noutput_dir: o\ndo_eval: true\n";
  EXPECT_EQ(job_of(submit_spec(held_out))["kind"], "eval");
  EXPECT_EQ(job_of(submit_spec(held_out + "do_predict: true\npredict_with_generate: true\n"))["kind"], "predict");

  const Json body = {{"spec", "model_name_or_path: tiny\ntask: mmlu_test\nsave_dir: /out\n"}, {"limit", 1}};
  EXPECT_THAT(app->post("/v1/datasets/preview", body).json()["error"]["message"],
              HasSubstr("of kind eval has no examples"));
}

TEST_F(JobRoutesTest, FilesAreListedAndFetchedAndNothingElseIs) {
  const fs::path out = folder().path() / "runs/files";
  const std::string url = "/v1/jobs/" + submit("tiny", "runs/files").json()["id"].get<std::string>() + "/files";
  EXPECT_EQ(app->get(url).json()["data"], Json::array());
  EXPECT_EQ(app->get(url + "/archive").status, 404);

  const std::string deep = std::string(120, 'd') + "/" + std::string(90, 'f') + " \xc3\xa9.json";
  std::map<std::string, std::string> files = {{"adapter_model.safetensors", std::string(100'000, 'x')},
                                              {"checkpoint-2/trainer_state.json", "{}"},
                                              {"empty.txt", ""},
                                              {deep, "[1]"}};
  for (const auto& [path, content] : files) write_file_atomic(out / path, content);
  write_file_atomic(out / "checkpoint-4.unfinished/a.json", "{}");
  write_file_atomic(folder().path() / "secret.txt", "secret");
  write_file_atomic(folder().path() / "runs/files2/secret.txt", "secret");
  fs::create_symlink(folder().path() / "secret.txt", out / "link.txt");
  fs::create_directory_symlink(folder().path(), out / "up");

  const Json listed = app->get(url).json();
  EXPECT_EQ(listed["has_more"], false);
  ASSERT_EQ(listed["data"].size(), files.size());
  for (const Json& file : listed["data"]) {
    const std::string path = file["path"];
    EXPECT_EQ(file["bytes"], files.at(path).size()) << path;
    EXPECT_GT(file["modified_at"], 1.7e9);
  }
  const HttpAnswer one = app->get(url + "/content?path=checkpoint-2%2Ftrainer_state.json");
  EXPECT_EQ(one.body, "{}");
  EXPECT_EQ(one.headers.at("content-type"), "application/json");
  EXPECT_EQ(one.headers.at("content-disposition"), "attachment; filename=\"trainer_state.json\"");
  EXPECT_EQ(app->get(url + "/content?path=adapter_model.safetensors").body, files.at("adapter_model.safetensors"));

  for (const char* path : {"../../secret.txt", "../files2/secret.txt", "link.txt", "up/secret.txt", "/etc/passwd",
                           "checkpoint-2", ".", "..", "none.json", "a%00b", "checkpoint-2/../../../secret.txt"}) {
    const HttpAnswer refused = app->get(url + "/content?path=" + path);
    EXPECT_EQ(refused.status, 404) << path;
    EXPECT_THAT(refused.body, testing::Not(HasSubstr("secret\"")));
  }
  EXPECT_EQ(app->get(url + "/content").status, 400);
  EXPECT_EQ(app->get("/v1/jobs/job-none/files").status, 404);

  const HttpAnswer archive = app->get(url + "/archive");
  EXPECT_EQ(archive.headers.at("content-disposition"), "attachment; filename=\"files.tar\"");
  write_file_atomic(folder().path() / "files.tar", archive.body);
  const std::string into = (folder().path() / "unpacked").string();
  fs::create_directory(into);
  ASSERT_EQ(std::system(("tar -xf " + (folder().path() / "files.tar").string() + " -C " + into).c_str()), 0);
  size_t unpacked = 0;
  for (const auto& entry : fs::recursive_directory_iterator(into)) unpacked += entry.is_regular_file();
  EXPECT_EQ(unpacked, files.size());
  for (const auto& [path, content] : files) EXPECT_EQ(read_file(into + "/files/" + path), content) << path;
}

TEST_F(JobRoutesTest, MetricsCountJobsByTheirStatus) {
  const std::string id = submit("tiny", "/out").json()["id"];
  const auto counted = [](const std::string& status) {
    const std::string text = app->get("/metrics").body, name = "hearth_jobs{status=\"" + status + "\"} ";
    const size_t at = text.find("\n" + name);
    return at == std::string::npos ? -1 : std::stoi(text.substr(at + 1 + name.size()));
  };
  const int queued = counted("queued"), cancelled = counted("cancelled");
  EXPECT_EQ(counted("running"), 0);
  app->post("/v1/jobs/" + id + "/cancel", Json());
  EXPECT_EQ(counted("queued"), queued - 1);
  EXPECT_EQ(counted("cancelled"), cancelled + 1);
}

TEST(Tar, SizesBeyondOctalDigitsStandInARecord) {
  const int64_t bytes = int64_t{1} << 33;
  const std::string header = tar_header("a", bytes, 0);
  ASSERT_EQ(header.size(), 3 * 512);
  EXPECT_EQ(header.substr(512, 19), "19 size=8589934592\n");
  EXPECT_EQ(tar_header("a", bytes - 1, 0).size(), 512);
}

}  // namespace
}  // namespace hearth
