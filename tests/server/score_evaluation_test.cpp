// /v1/score/evaluation: rewards are the model's own, whoever shares the request; bad input; and what a reward model and
// a chat model say to each other's requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/adapters/peft_adapter.h"
#include "models/adapters/value_head.h"
#include "runtime/io/safetensors_writer.h"
#include "tests/server/test_app.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using test::HttpAnswer;
using test::TestApp;
using testing::HasSubstr;

const fs::path kAdapter = "tests/golden/training/llama/start", kHead = "tests/golden/reward/llama";
const std::string kTexts[] = {"the cat", "What it answers depends on its weights<|im_end|>",
                              "and then the rain came\n"};

// An adapter with a value head, in a directory of the test's.
struct RewardAdapter {
  RewardAdapter() : path(directory.path() / "judge") {
    fs::copy(kAdapter, path);
    fs::copy(kHead / "value_head.safetensors", path);
  }
  test::TemporaryDirectory directory;
  fs::path path;
};

ordered_json request(const std::vector<std::string>& texts, const std::string& model = "judge") {
  ordered_json body;
  body["model"] = model;
  body["messages"] = texts;
  return body;
}

class ScoreEvaluation : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    adapter = new RewardAdapter();
    daemon = new TestApp([](AppOptions& options) {
      options.models.front().adapters = {{"judge", adapter->path}};
      options.compute_dtype = ComputeDtype::kFloat32;
      options.engine.max_running = 4;
      options.engine.max_queued = 4;
    });
  }
  static void TearDownTestSuite() {
    delete daemon;
    delete adapter;
  }
  static HttpAnswer send(const ordered_json& body) { return daemon->post("/v1/score/evaluation", body); }
  static std::vector<double> scores(const ordered_json& body) {
    const HttpAnswer answer = send(body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json()["scores"].get<std::vector<double>>();
  }
  static std::vector<TokenId> tokens(const std::string& text) {
    return daemon->post("/tokenize", {{"content", text}}).json()["tokens"].get<std::vector<TokenId>>();
  }
  static inline RewardAdapter* adapter = nullptr;
  static inline TestApp* daemon = nullptr;
};

// Without a server, an engine or a cache.
double expected_score(const std::vector<TokenId>& ids) {
  const test::TemporaryDirectory directory;
  test::make_directory(test::tiny_model("none"), directory.path());
  const auto model = load_model(directory.path(), {.compute_dtype = ComputeDtype::kFloat32, .chat = {}}).model;
  const PeftAdapter adapter = read_adapter(kAdapter, model->tensors());
  ValueHead head = read_value_head(kHead, *model);
  Batch batch = test::batch_of(ids, 0, static_cast<int>(ids.size()));
  batch.segments[0].adapter = adapter.adapter.get();
  const Tensor rewards = ops::rewards(model->forward(batch), head);
  return rewards.data()[rewards.size() - 1];
}

TEST_F(ScoreEvaluation, GivesTheRewardAtTheLastTokenOfEachText) {
  const HttpAnswer answer = send(request({kTexts[0], kTexts[1], kTexts[2], kTexts[0]}));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const ordered_json reply = answer.json();
  EXPECT_TRUE(reply["id"].get<std::string>().starts_with("scoreval-"));
  EXPECT_EQ(reply["object"], "score.evaluation");
  EXPECT_EQ(reply["model"], "judge");
  const ordered_json& found = reply["scores"];
  ASSERT_EQ(found.size(), 4u);
  size_t prompt_tokens = tokens(kTexts[0]).size();
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(found[i].get<double>(), expected_score(tokens(kTexts[i])), 1e-5) << kTexts[i];
    EXPECT_EQ(scores(request({kTexts[i]}))[0], found[i]) << "alone, to the bit";
    prompt_tokens += tokens(kTexts[i]).size();
  }
  EXPECT_EQ(found[3], found[0]);
  EXPECT_EQ(reply["usage"]["prompt_tokens"], prompt_tokens);
  EXPECT_EQ(reply["usage"]["completion_tokens"], 0);
  EXPECT_EQ(scores(request({kTexts[1]}, "tiny:judge"))[0], found[1]);
}

TEST_F(ScoreEvaluation, MaxLengthKeepsTheFirstTokens) {
  ordered_json body = request({kTexts[1], kTexts[0]});
  body["max_length"] = 3;
  std::vector<TokenId> ids = tokens(kTexts[1]);
  ASSERT_GT(ids.size(), 3u);
  ids.resize(3);
  EXPECT_NEAR(scores(body)[0], expected_score(ids), 1e-5);
  body["max_length"] = 1000;
  EXPECT_EQ(scores(body), scores(request({kTexts[1], kTexts[0]})));
}

TEST_F(ScoreEvaluation, ATextThatIsTooLongIsRefusedUnlessItMayBeCut) {
  std::string text;
  while (tokens(text).size() <= test::kTestContext) text += kTexts[2];
  ordered_json body = request({"short", text});
  const HttpAnswer answer = send(body);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.error_code(), "context_length_exceeded");
  EXPECT_EQ(answer.json()["error"]["param"], "messages[1]");
  EXPECT_THAT(answer.body, HasSubstr("'judge' holds 512 tokens at most, but 'messages[1]' has "));
  body["max_length"] = test::kTestContext + 1;
  EXPECT_EQ(send(body).status, 400);
  body["max_length"] = test::kTestContext;
  EXPECT_EQ(scores(body).size(), 2u);
}

TEST_F(ScoreEvaluation, BadInputIsRefusedWithItsField) {
  const struct {
    const char *body, *param, *message;
  } cases[] = {
      {R"([])", "", "expected an object"},
      {R"({"messages": ["a"]})", "model", "model"},
      {R"({"model": "judge"})", "messages", "messages"},
      {R"({"model": "judge", "messages": []})", "messages", "must have at least one text"},
      {R"({"model": "judge", "messages": "a"})", "messages", "array"},
      {R"({"model": "judge", "messages": ["a", {"role": "user"}]})", "messages[1]", "string"},
      {R"({"model": "judge", "messages": ["a", ""]})", "messages[1]", "has no tokens"},
      {R"({"model": "judge", "messages": ["a"], "max_length": 0})", "max_length", "max_length"},
      {R"({"model": "judge", "messages": ["1", "2", "3", "4", "5", "6", "7", "8", "9"]})", "messages",
       "9 answers in one request; at most 8 can run and wait"},
      {R"({"model": "tiny", "messages": ["a"]})", "model",
       "'tiny' is no reward model: there is no value_head.safetensors beside it"},
  };
  for (const auto& one : cases) {
    const HttpAnswer answer = test::fetch(daemon->app->port(), "POST", "/v1/score/evaluation", one.body);
    EXPECT_EQ(answer.status, 400) << one.body;
    const ordered_json error = answer.json()["error"];
    EXPECT_EQ(error["param"].is_null() ? "" : error["param"], one.param) << answer.body;
    EXPECT_THAT(error["message"].get<std::string>(), HasSubstr(one.message));
  }
  EXPECT_EQ(send(request({"a"}, "jugde")).status, 404);
}

TEST_F(ScoreEvaluation, AnswersAreNotARewardModelsBusiness) {
  const ordered_json chat =
      ordered_json::parse(R"({"model": "judge", "messages": [{"role": "user", "content": "Hi"}]})");
  const ordered_json text = ordered_json::parse(R"({"model": "judge", "prompt": "Hi", "max_tokens": 1})");
  for (const auto& [path, body] : {std::pair("/v1/chat/completions", chat), std::pair("/v1/completions", text)}) {
    const HttpAnswer answer = daemon->post(path, body);
    EXPECT_EQ(answer.status, 400) << path;
    EXPECT_EQ(answer.json()["error"]["param"], "model");
    EXPECT_THAT(answer.body, HasSubstr("is a reward model, which scores texts and writes none"));
    ordered_json base = body;
    base["model"] = "tiny";
    EXPECT_EQ(daemon->post(path, base).status, 200) << "the model beside it";
  }
  const ordered_json models = daemon->get("/v1/models").json()["data"];
  EXPECT_EQ(models[0]["capabilities"], ordered_json::parse(R"({"completions": true, "chat": true, "score": false})"));
  EXPECT_EQ(models[1]["capabilities"], ordered_json::parse(R"({"completions": false, "chat": false, "score": true})"));
}

TEST_F(ScoreEvaluation, CountsAsAnswers) {
  const auto answers = [] {
    const std::string text = daemon->get("/metrics").body,
                      name = R"(hearth_answers_total{finish_reason="length",model="judge"} )";
    const size_t at = text.find(name);
    return at == std::string::npos ? 0 : std::stoi(text.substr(at + name.size()));
  };
  const int before = answers();
  scores(request({"a", "b", "c"}));
  EXPECT_EQ(answers(), before + 3);
}

TEST(RewardModel, AClientThatLeavesFreesItsBlocks) {
  const RewardAdapter adapter;
  const TestApp daemon([&](AppOptions& options) {
    options.models.front().adapters = {{"judge", adapter.path}};
    options.engine.step_tokens = 4;  // some hundred steps for the text
  });
  *daemon.step_milliseconds = 20;
  std::string text;
  for (int i = 0; i < 40; ++i) text += "and the rain ";
  test::HttpTestClient client(daemon.app->port());
  client.send(test::make_request("POST", "/v1/score/evaluation", request({text, text + "!"}).dump()));
  ASSERT_TRUE(test::soon([&] { return daemon.stats().running > 0; }));
  client.hang_up();
  EXPECT_TRUE(test::soon([&] { return daemon.is_idle(); }));
  EXPECT_EQ(daemon.stats().cancelled, 2u);
}

// LLaMA-Factory's adapter_name_or_path: the model's own id is the reward model.
TEST(RewardModel, IsWhatHasAValueHeadBesideItsLastAdapterOrItself) {
  const RewardAdapter adapter;
  const std::vector<std::string> texts = {kTexts[0], kTexts[1]};
  const auto scored = [&](const TestApp& daemon, const std::string& id) {
    return daemon.post("/v1/score/evaluation", request(texts, id));
  };
  const TestApp beside([&](AppOptions& options) { options.models.front().adapters = {{"judge", adapter.path}}; });
  const TestApp applied([&](AppOptions& options) { options.models.front().applied = {adapter.path}; });
  EXPECT_EQ(scored(applied, "tiny").json()["scores"], scored(beside, "judge").json()["scores"]);
  const TestApp other([&](AppOptions& options) { options.models.front().applied = {adapter.path, kAdapter}; });
  EXPECT_EQ(scored(other, "tiny").status, 400);
  const TestApp whole([&](AppOptions& options) {
    fs::copy(kHead / "value_head.safetensors", options.models.front().path);
    options.models.front().adapters = {{"tuned", kAdapter}};
  });
  EXPECT_EQ(scored(whole, "tiny").status, 200);
  EXPECT_EQ(scored(whole, "tuned").status, 400) << "an adapter has its own head or none";
  whole.app->drain(std::chrono::milliseconds(0));
  EXPECT_EQ(scored(whole, "tiny").error_code(), "shutting_down");
}

TEST(RewardModel, OneWithAnotherModelsHeadEndsTheStart) {
  const RewardAdapter adapter;
  write_safetensors(adapter.path / "value_head.safetensors",
                    {TensorToWrite::f32("v_head.summary.weight", Tensor::zeros({1, 8})),
                     TensorToWrite::f32("v_head.summary.bias", Tensor::zeros({1}))});
  EXPECT_THROW(TestApp([&](AppOptions& options) {
                 options.models.front().adapters = {{"judge", adapter.path}};
               }),
               std::runtime_error);
}

}  // namespace
}  // namespace hearth
