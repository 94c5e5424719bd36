// Adapters over HTTP: their ids, their own answers in every route, and what is refused when the daemon starts.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/server/test_app.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using test::TestApp;
using testing::HasSubstr;

const std::filesystem::path kPeftAdapters = "tests/golden/peft_adapters";

void serve_two(AppOptions& options) {
  options.models.front().adapters = {{"tuned", kPeftAdapters / "plain"}, {"other", kPeftAdapters / "dora"}};
}

ordered_json completion(const TestApp& daemon, const std::string& model) {
  ordered_json body = ordered_json::parse(
      R"({"prompt": [5, 9, 3, 17, 8, 40, 2, 11], "max_tokens": 12, "echo": true, "logprobs": 1, "temperature": 0})");
  body["model"] = model;
  body["ignore_eos"] = true;
  const test::HttpAnswer answer = daemon.post("/v1/completions", body);
  EXPECT_EQ(answer.status, 200) << answer.body;
  return answer.json();
}

ordered_json logprobs(const ordered_json& reply) { return reply["choices"][0]["logprobs"]["token_logprobs"]; }

TEST(Adapters, AreListedWithTheirBase) {
  const TestApp daemon(serve_two);
  const ordered_json data = daemon.get("/v1/models").json()["data"];
  ASSERT_EQ(data.size(), 3u);
  EXPECT_EQ(data[0]["id"], "tiny");
  EXPECT_EQ(data[0]["parent"], nullptr);
  EXPECT_EQ(data[1]["id"], "tuned");
  EXPECT_EQ(data[1]["parent"], "tiny");
  EXPECT_EQ(data[1]["root"], "tiny");
  EXPECT_EQ(data[1]["max_model_len"], data[0]["max_model_len"]);
  EXPECT_EQ(data[0]["input_modalities"], ordered_json::parse(R"(["text"])"));
  EXPECT_GT(data[0]["memory_bytes"], data[1]["memory_bytes"]);
  EXPECT_GT(data[1]["memory_bytes"], 1000);
  EXPECT_EQ(data[0]["template"], nullptr);
  EXPECT_EQ(data[2]["id"], "other");
  EXPECT_EQ(daemon.get("/v1/models/tiny%3Atuned").json(), data[1]);
  const test::HttpAnswer unknown = daemon.get("/v1/models/tund");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.error_code(), "model_not_found");
  EXPECT_THAT(unknown.body, HasSubstr("(did you mean 'tuned'?); served: 'tiny', 'tuned', 'tiny:tuned', 'other'"));
}

TEST(Adapters, AnswerAndScoreUnderBothIds) {
  const TestApp daemon(serve_two);
  const ordered_json base = completion(daemon, "tiny"), tuned = completion(daemon, "tuned"),
                     full = completion(daemon, "tiny:tuned"), other = completion(daemon, "other");
  EXPECT_EQ(tuned["model"], "tuned");
  EXPECT_EQ(full["model"], "tuned");
  EXPECT_EQ(full["choices"], tuned["choices"]);
  EXPECT_NE(logprobs(tuned), logprobs(base));
  EXPECT_NE(logprobs(tuned)[1], logprobs(base)[1]) << "the prompt is scored with it too";
  EXPECT_NE(logprobs(other), logprobs(base));
  EXPECT_NE(logprobs(other), logprobs(tuned));
  EXPECT_NE(tuned["system_fingerprint"], base["system_fingerprint"]);
  EXPECT_EQ(completion(daemon, "tiny")["choices"], base["choices"]) << "the model itself is as it was";
}

TEST(Adapters, CountWithTheirModelsEngineOnce) {
  const TestApp daemon(serve_two);
  completion(daemon, "tuned");
  const std::string text = daemon.get("/metrics").body;
  EXPECT_THAT(text, HasSubstr("hearth_answers_total{finish_reason=\"length\",model=\"tuned\"} 1"));
  EXPECT_THAT(text, HasSubstr("hearth_generated_tokens_total{model=\"tiny\"} 13"));
  EXPECT_THAT(text, Not(HasSubstr("hearth_generated_tokens_total{model=\"tuned\"}")));
  EXPECT_EQ(daemon.get("/readyz").status, 200);
}

// LLaMA-Factory's adapter_name_or_path: the model's own id answers with them.
TEST(Adapters, AppliedOnesAreTheModel) {
  const TestApp both(serve_two);
  const TestApp one([](AppOptions& options) { options.models.front().applied = {kPeftAdapters / "plain"}; });
  EXPECT_EQ(one.get("/v1/models").json()["data"].size(), 1u);
  EXPECT_EQ(completion(one, "tiny")["choices"], completion(both, "tuned")["choices"]);
  const TestApp merged([](AppOptions& options) {
    options.models.front().applied = {kPeftAdapters / "plain", kPeftAdapters / "rslora"};
  });
  EXPECT_NE(logprobs(completion(merged, "tiny")), logprobs(completion(one, "tiny")));
}

// The Error that the daemon ends with.
std::string refusal(const std::string& model, const std::vector<AppOptions::Adapter>& adapters) {
  const test::TemporaryDirectory directory;
  test::make_directory(test::tiny_model(model), directory.path());
  AppOptions options;
  options.models = {{.id = "tiny", .path = directory.path(), .adapters = adapters}};
  options.port = 0;
  try {
    App(options).run();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Adapters, ThatDoNotFitEndTheStart) {
  EXPECT_THAT(refusal("none", {{"x", kPeftAdapters / "gpt2"}}), HasSubstr("adapter does not fit the model"));
  EXPECT_THAT(refusal("none", {{"x", "saves/nothing"}}), HasSubstr("saves/nothing"));
  EXPECT_THAT(refusal("gpt2", {{"a", kPeftAdapters / "saved"}, {"b", kPeftAdapters / "gpt2"}}),
              HasSubstr("serve it as the model's only adapter"));
}

TEST(Adapters, OneThatChangesTheModelIsWorkedIntoIt) {
  const auto gpt2 = [](const std::vector<AppOptions::Adapter>& adapters) {
    return [adapters](AppOptions& options) {
      std::filesystem::remove_all(options.models.front().path);
      std::filesystem::create_directory(options.models.front().path);
      test::make_directory(test::tiny_model("gpt2"), options.models.front().path);
      options.models.front().adapters = adapters;
    };
  };
  const TestApp plain(gpt2({})), changed(gpt2({{"x", kPeftAdapters / "saved"}}));
  const ordered_json base = completion(plain, "tiny"), tiny = completion(changed, "tiny"), x = completion(changed, "x");
  EXPECT_NE(logprobs(x), logprobs(base));
  EXPECT_EQ(logprobs(x), logprobs(tiny));
}

// The template that an adapter was trained with makes its prompts, and the base keeps its own.
TEST(Adapters, AnswerInTheTemplateTheyWereTrainedWith) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path adapter = directory.path() / "tuned";
  std::filesystem::copy(kPeftAdapters / "plain", adapter);
  write_file_atomic(adapter / "training_args.yaml", "template: vicuna\nlora_rank: 4\n");
  const TestApp daemon([&](AppOptions& options) {
    options.models.front().adapters = {{"tuned", adapter}, {"other", kPeftAdapters / "dora"}};
  });
  const auto prompt = [&](const std::string& model) {
    ordered_json body = ordered_json::parse(R"({"messages": [{"role": "user", "content": "Hi"}]})");
    body["model"] = model;
    return daemon.post("/apply-template", body).json().value("prompt", "");
  };
  EXPECT_THAT(prompt("tuned"), HasSubstr("USER: Hi ASSISTANT:"));
  EXPECT_THAT(prompt("tiny"), Not(HasSubstr("USER: Hi")));
  EXPECT_EQ(prompt("other"), prompt("tiny"));
}

}  // namespace
}  // namespace hearth
