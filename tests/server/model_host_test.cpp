// Several models on one budget of memory: loaded when they are asked for, unloaded when others need the room, never
// while a request uses them; adapters and models that come and go meanwhile.
#include "server/models/model_host.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "server/models/model_memory.h"
#include "tests/server/test_app.h"

namespace hearth {
namespace {

using nlohmann::ordered_json;
using test::HttpAnswer;
using test::HttpTestClient;
using test::soon;
using test::TestApp;
using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

const std::filesystem::path kPeftAdapters = "tests/golden/peft_adapters";
constexpr int64_t kForAdapters = 1 << 20;  // beside the models

// Sees every load, holds it back while the gate is closed, and breaks those of `broken`.
class Loads {
 public:
  void pass(const std::string& id) {
    std::unique_lock lock(mutex_);
    ids_.push_back(id);
    changed_.wait(lock, [&] { return open_; });
    if (broken_ == id) throw data_corruption("the file is damaged");
    if (foreign_ == id) throw std::runtime_error("at 0x1234");
  }
  void set_open(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  void break_model(const std::string& id, const std::string& foreign = "") {
    const std::lock_guard lock(mutex_);
    broken_ = id;
    foreign_ = foreign;
  }
  std::vector<std::string> ids() const {
    const std::lock_guard lock(mutex_);
    return ids_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  std::string broken_, foreign_;
  std::vector<std::string> ids_;
};

using Change = std::function<void(AppOptions&)>;

// Models a, b and c of one directory, of which `fit` fit.
struct ThreeModels {
  explicit ThreeModels(int fit, const Change& change = {})
      : daemon([&](AppOptions& options) {
          const std::filesystem::path path = options.models.front().path;
          options.models = {{"a", path}, {"b", path}, {"c", path}};
          options.model_memory = fit * estimate_memory(options, options.models.front()) + kForAdapters;
          options.load = [inner = options.load, loads = loads](const AppOptions::Model& model, ComputeDtype dtype) {
            loads->pass(model.id);
            return inner(model, dtype);
          };
          if (change) change(options);
        }) {}
  ~ThreeModels() { loads->set_open(true); }

  ModelHost& host() const { return daemon.app->host(); }
  HttpAnswer ask(const std::string& model, const std::string& fields = "{}") const {
    return test::fetch(daemon.app->port(), "POST", "/v1/completions", body(model, fields));
  }
  static std::string body(const std::string& model, const std::string& fields = "{}") {
    ordered_json body = ordered_json::parse(
        R"({"prompt": [5, 9, 3, 17], "max_tokens": 4, "temperature": 0, "logprobs": 0, "ignore_eos": true})");
    body["model"] = model;
    body.update(ordered_json::parse(fields));
    return body.dump();
  }
  static std::string request(const std::string& model, const std::string& fields = "{}") {
    return test::make_request("POST", "/v1/completions", body(model, fields));
  }
  std::string state(const std::string& id) const {
    const HttpAnswer answer = daemon.get("/v1/models/" + id);
    return answer.status == 200 ? answer.json()["state"].get<std::string>() : answer.error_code();
  }
  std::vector<std::string> states() const { return {state("a"), state("b"), state("c")}; }

  std::shared_ptr<Loads> loads = std::make_shared<Loads>();
  TestApp daemon;
};

constexpr const char* kLongStream = R"({"stream": true, "max_tokens": 400})";

ordered_json logprobs(const HttpAnswer& answer) {
  EXPECT_EQ(answer.status, 200) << answer.body;
  return answer.status == 200 ? answer.json()["choices"][0]["logprobs"]["token_logprobs"] : ordered_json();
}

// The code and the message of what `action` throws.
template <class Action>
std::pair<ErrorCode, std::string> refusal(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ErrorCode::kInternal, "nothing was thrown"};
}

TEST(ModelHost, LoadsWhatFitsAndTheLeastRecentlyUsedMakesRoom) {
  const ThreeModels models(2);
  EXPECT_THAT(models.loads->ids(), ElementsAre("a", "b"));
  EXPECT_THAT(models.states(), ElementsAre("loaded", "loaded", "unloaded"));
  EXPECT_EQ(models.daemon.get("/v1/models/c").json()["max_model_len"], nullptr);
  EXPECT_EQ(models.daemon.get("/readyz").status, 200);
  EXPECT_EQ(models.ask("a").status, 200);
  EXPECT_EQ(models.ask("c").status, 200);
  EXPECT_THAT(models.states(), ElementsAre("loaded", "unloaded", "loaded"));
  EXPECT_EQ(models.daemon.get("/v1/models/b").json()["max_model_len"], test::kTestContext) << "it is known by now";
  EXPECT_EQ(models.ask("b").status, 200);
  EXPECT_THAT(models.states(), ElementsAre("unloaded", "loaded", "loaded"));
  const HttpAnswer again = models.ask("a");
  EXPECT_EQ(again.json()["model"], "a");
  EXPECT_THAT(models.states(), ElementsAre("loaded", "loaded", "unloaded"));
  EXPECT_THAT(models.loads->ids(), ElementsAre("a", "b", "c", "b", "a"));
  EXPECT_THAT(
      models.daemon.get("/metrics").body,
      AllOf(HasSubstr("hearth_models_loaded 2"), HasSubstr("hearth_model_loads_total 5"),
            HasSubstr("hearth_model_evictions_total 3"), HasSubstr("hearth_generated_tokens_total{model=\"a\"} 5"),
            Not(HasSubstr("hearth_generated_tokens_total{model=\"c\"}"))));
}

TEST(ModelHost, ManyWaitForOneLoad) {
  const ThreeModels models(2);
  models.loads->set_open(false);
  std::vector<std::thread> clients;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 8; ++i) clients.emplace_back([&] { answered += models.ask("c").status == 200; });
  EXPECT_TRUE(soon([&] { return models.loads->ids().size() == 3; }));
  EXPECT_EQ(models.state("c"), "loading");
  EXPECT_EQ(models.ask("b").status, 200) << "others go on";
  models.loads->set_open(true);
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered, 8);
  EXPECT_THAT(models.loads->ids(), ElementsAre("a", "b", "c"));
}

TEST(ModelHost, WhatIsInUseStays) {
  const ThreeModels models(1);
  *models.daemon.step_milliseconds = 20;
  HttpTestClient client(models.daemon.app->port());
  client.send(models.request("a", kLongStream));
  client.read(500);
  const HttpAnswer refused = models.ask("b");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.error_code(), "server_overloaded");
  EXPECT_THAT(refused.body, HasSubstr("'b' needs "));
  EXPECT_THAT(refused.body, HasSubstr("which 'a' leave no room for while in use (model_memory is "));
  EXPECT_GE(std::stoi(refused.headers.at("retry-after")), 1);
  EXPECT_THAT(models.states(), ElementsAre("loaded", "unloaded", "unloaded"));
  client.hang_up();
  EXPECT_TRUE(soon([&] { return models.ask("b").status == 200; }));
  EXPECT_EQ(models.state("a"), "unloaded");
}

TEST(ModelHost, AStreamGoesOnWhenItsAdapterIsTakenAwayAndOthersWantTheRoom) {
  const ThreeModels models(1);
  models.host().attach("a", {"tuned", kPeftAdapters / "plain"});
  *models.daemon.step_milliseconds = 5;
  HttpTestClient client(models.daemon.app->port());
  client.send(test::make_request("POST", "/v1/completions",
                                 models.body("tuned", R"({"stream": true, "max_tokens": 60})"), {"Connection: close"}));
  std::string text = client.read(500);
  models.host().detach("tuned");
  EXPECT_EQ(models.ask("tuned").error_code(), "model_not_found");
  EXPECT_EQ(models.ask("b").error_code(), "server_overloaded");
  text += client.read();
  EXPECT_THAT(text, HasSubstr("data: [DONE]"));
}

TEST(ModelHost, ALoadThatFailsIsToldAndNotRepeatedAtOnce) {
  const ThreeModels models(2);
  models.loads->break_model("c");
  for (int i = 0; i < 2; ++i) {
    const HttpAnswer failed = models.ask("c");
    EXPECT_EQ(failed.status, 503);
    EXPECT_EQ(failed.error_code(), "model_load_failed");
    EXPECT_THAT(failed.body, HasSubstr("'c' cannot be loaded: the file is damaged"));
    EXPECT_EQ(failed.headers.at("retry-after"), "10");
  }
  EXPECT_EQ(models.state("c"), "failed");
  EXPECT_EQ(models.loads->ids().size(), 3u);
  models.loads->break_model("", "a");
  EXPECT_EQ(models.ask("b").status, 200);
  const HttpAnswer foreign = models.ask("a");
  EXPECT_THAT(foreign.body, AllOf(HasSubstr("the server's log has the cause"), Not(HasSubstr("0x1234"))));
  EXPECT_EQ(models.ask("b").status, 200);
}

TEST(ModelHost, AModelThatNeverFitsIsToldWithBothNumbers) {
  const test::TemporaryDirectory small;
  test::make_directory(test::tiny_model("none"), small.path());
  AppOptions options;
  options.port = 0;
  const AppOptions::Model one{"small", small.path()};
  options.models = {one};
  options.model_memory = estimate_memory(options, one) - 1;
  const auto [code, message] = refusal([&] { App(options).run(); });
  EXPECT_EQ(code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(message, AllOf(HasSubstr("'small' needs "), HasSubstr("model_memory is "), HasSubstr("raise it")));

  const ThreeModels models(1);
  ordered_json config = ordered_json::parse(read_file(small.path() / "config.json"));
  config["num_hidden_layers"] = 4000;
  write_file_atomic(small.path() / "config.json", config.dump());
  models.host().add_base({"ft:big", small.path()});
  const HttpAnswer refused = models.ask("ft:big");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.error_code(), "model_load_failed");
  EXPECT_THAT(refused.body, HasSubstr("model_memory is "));
  EXPECT_EQ(models.state("a"), "loaded") << "nothing was unloaded in vain";
}

TEST(ModelHost, NobodyWaitsForeverOrForNobody) {
  const ThreeModels models(1, [](AppOptions& options) { options.load_timeout = 300ms; });
  models.loads->set_open(false);
  const HttpAnswer late = models.ask("c");
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.error_code(), "model_loading");
  EXPECT_EQ(late.headers.at("retry-after"), "2");
  HttpTestClient client(models.daemon.app->port());
  client.send(models.request("b"));  // queued behind c
  EXPECT_TRUE(soon([&] { return models.state("b") == "loading"; }));
  client.hang_up();
  EXPECT_TRUE(soon(
      [&] { return models.daemon.get("/metrics").body.find("completions\",status=\"499\"") != std::string::npos; }));
  models.loads->set_open(true);
  EXPECT_TRUE(soon([&] { return models.state("b") == "unloaded"; }));
  EXPECT_THAT(models.loads->ids(), ElementsAre("a", "c")) << "nobody wants b any more";
}

TEST(ModelHost, DrainingWakesThoseWhoWait) {
  const ThreeModels models(1);
  models.loads->set_open(false);
  std::thread client([&] { EXPECT_EQ(models.ask("c").error_code(), "shutting_down"); });
  EXPECT_TRUE(soon([&] { return models.loads->ids().size() == 2; }));
  EXPECT_TRUE(models.daemon.app->drain(60s));
  client.join();
}

TEST(ModelHost, AdaptersComeAndGo) {
  const ThreeModels models(1);
  ModelHost& host = models.host();
  const std::string trained = "ft:a:org:suffix:abcd1234", step = trained + ":ckpt-step-10";
  const ordered_json base = logprobs(models.ask("a"));
  host.attach("a", {trained, kPeftAdapters / "plain"});
  host.attach("a", {step, kPeftAdapters / "dora"});
  host.attach("b", {"later", kPeftAdapters / "plain"});  // b is not loaded
  const ordered_json tuned = logprobs(models.ask(trained));
  EXPECT_NE(tuned, base);
  EXPECT_EQ(logprobs(models.ask("a:" + trained)), tuned);
  EXPECT_NE(logprobs(models.ask(step)), tuned);
  EXPECT_EQ(logprobs(models.ask("a")), base);
  const ordered_json listed = models.daemon.get("/v1/models").json()["data"];
  ASSERT_EQ(listed.size(), 6u);
  EXPECT_EQ(listed[1]["id"], trained);
  EXPECT_EQ(listed[1]["parent"], "a");
  EXPECT_EQ(listed[1]["state"], "loaded");
  EXPECT_EQ(listed[4]["id"], "later");
  EXPECT_EQ(listed[4]["root"], "b");
  EXPECT_EQ(listed[4]["state"], "unloaded");
  EXPECT_EQ(logprobs(models.ask("later")), tuned) << "a and b are the same model";
  EXPECT_EQ(models.state(trained), "unloaded");
  host.detach(trained);
  EXPECT_EQ(models.ask(trained).error_code(), "model_not_found");
  EXPECT_EQ(models.ask("a:" + trained).error_code(), "model_not_found");
  EXPECT_NE(logprobs(models.ask(step)), tuned) << "the other one is loaded again with its base";
}

TEST(ModelHost, RefusesWhatDoesNotFitOrIsTaken) {
  const ThreeModels models(1, [](AppOptions& options) { options.models[2].applied = {kPeftAdapters / "plain"}; });
  ModelHost& host = models.host();
  const auto attach = [&](const std::string& base, const std::string& id, const char* adapter) {
    return refusal([&] { host.attach(base, {id, kPeftAdapters / adapter}); });
  };
  EXPECT_THAT(attach("a", "x", "gpt2").second, HasSubstr("adapter does not fit the model"));
  EXPECT_THAT(attach("b", "x", "nothing").second, HasSubstr("nothing")) << "not loaded";
  EXPECT_THAT(attach("a", "x", "saved").second, HasSubstr("adapter does not fit the model"));
  EXPECT_THAT(attach("b", "x", "saved").second, HasSubstr("serve it as the model's only adapter"));
  EXPECT_EQ(attach("d", "x", "plain").first, ErrorCode::kNotFound);
  EXPECT_EQ(attach("a", "b", "plain").first, ErrorCode::kAlreadyExists);
  EXPECT_EQ(attach("c", "x", "plain").first, ErrorCode::kFailedPrecondition);
  host.attach("a", {"x", kPeftAdapters / "plain"});
  EXPECT_EQ(attach("x", "y", "plain").first, ErrorCode::kInvalidArgument);
  EXPECT_EQ(attach("b", "x", "plain").first, ErrorCode::kAlreadyExists);
  EXPECT_EQ(refusal([&] { host.add_base({"a:x", models.daemon.directory.path()}); }).first, ErrorCode::kAlreadyExists);
  EXPECT_EQ(refusal([&] { host.add_base({"new", "nowhere"}); }).first, ErrorCode::kNotFound);
  EXPECT_EQ(host.list().size(), 4u);
}

TEST(ModelHost, AnAdapterThatFailsWithItsBaseLeavesTheBaseUnharmed) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path adapter = directory.path() / "x";
  std::filesystem::copy(kPeftAdapters / "plain", adapter);
  const ThreeModels models(1);
  models.host().attach("b", {"x", adapter});
  std::filesystem::remove(adapter / "adapter_model.safetensors");
  EXPECT_THAT(models.ask("x").body, HasSubstr("'x' cannot be loaded"));
  EXPECT_EQ(models.ask("b").status, 200);
  EXPECT_EQ(models.state("x"), "failed");
}

TEST(ModelHost, WhatTrainingLeftCannotEndTheStart) {
  const test::TemporaryDirectory directory;
  test::make_directory(test::tiny_model("none"), directory.path());
  const std::filesystem::path adapter = directory.path() / "x";
  std::filesystem::copy(kPeftAdapters / "plain", adapter);
  AppOptions options;
  options.port = 0;
  options.models = {{"a", directory.path()}};
  App app(options);
  app.host().attach("a", {"x", adapter});
  app.host().add_base({"ft:a:full", directory.path()});
  std::filesystem::remove(adapter / "adapter_model.safetensors");
  app.start();
  EXPECT_TRUE(soon([&] { return app.state() != App::State::kLoading; }));
  EXPECT_EQ(app.state(), App::State::kReady);
  EXPECT_EQ(app.host().status("a").state, ModelState::kLoaded);
  EXPECT_EQ(app.host().status("x").state, ModelState::kFailed);
  EXPECT_EQ(app.host().status("ft:a:full").state, ModelState::kUnloaded);
}

TEST(ModelHost, DeletesWhatTrainingMadeAlone) {
  const ThreeModels models(1, [](AppOptions& options) {
    options.models[2].adapters = {{"ft:c", kPeftAdapters / "dora"}};
  });
  ModelHost& host = models.host();
  std::vector<std::string> deleted;
  const auto remove = [&](const std::string& id) {
    return test::fetch(models.daemon.app->port(), "DELETE", "/v1/models/" + id);
  };
  host.attach("a", {"tuned", kPeftAdapters / "plain"});
  host.attach("a", {"kept", kPeftAdapters / "plain"}, ModelOrigin::kConfigured);
  host.add_base({"full", models.daemon.directory.path()});
  host.attach("full", {"on-full", kPeftAdapters / "plain"});
  for (const char* id : {"a", "kept"}) {
    const HttpAnswer refused = remove(id);
    EXPECT_EQ(refused.status, 403) << id;
    EXPECT_EQ(refused.json()["error"]["type"], "permission_error");
    EXPECT_EQ(refused.error_code(), "permission_denied");
  }
  EXPECT_EQ(remove("nothing").error_code(), "model_not_found");
  EXPECT_EQ(remove("a:tuned").body, R"({"id":"tuned","object":"model","deleted":true})");
  EXPECT_EQ(remove("tuned").status, 404);
  host.on_delete([&](const std::string& id) {
    if (id == "on-full" && deleted.empty()) throw unavailable("the disk is full");
    deleted.push_back(id);
  });
  EXPECT_EQ(remove("on-full").status, 503);
  EXPECT_EQ(models.state("on-full"), "unloaded") << "what cannot be deleted stays";
  EXPECT_EQ(remove("ft:c").status, 200);
  EXPECT_THAT(remove("full").body, HasSubstr("'full' has adapters, which go first: 'on-full'"));
  EXPECT_EQ(models.ask("full").status, 200);
  EXPECT_EQ(remove("on-full").status, 200);
  EXPECT_EQ(remove("full").status, 200);
  EXPECT_THAT(deleted, ElementsAre("ft:c", "on-full", "full"));
  EXPECT_EQ(models.ask("full").status, 404);
  EXPECT_EQ(host.list().size(), 4u);
}

// Everything at once; run under ThreadSanitizer too.
TEST(ModelHost, RequestsLoadsAndChangesMeet) {
  constexpr int kRounds = 12;
  const ThreeModels models(1);
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  const auto ask = [&](const std::string& id) {
    const HttpAnswer answer = models.ask(id, R"({"max_tokens": 2})");
    answered += answer.status == 200;
    EXPECT_THAT(answer.status, AnyOf(200, 404, 503)) << answer.body;
  };
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const std::string id = "x" + std::to_string(t), base = t == 0 ? "b" : "a";
      for (int i = 0; i < kRounds; ++i) {
        models.host().attach(base, {id, kPeftAdapters / (t == 1 ? "dora" : "plain")});
        ask(id);
        models.host().detach(id);
      }
    });
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) ask(i % 3 == t ? "c" : "x" + std::to_string(t));
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < kRounds; ++i) {
      models.host().add_base({"new", models.daemon.directory.path()});
      ask("new");
      models.daemon.get("/v1/models");
      models.daemon.get("/metrics");
      models.host().detach("new");
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(answered, 0);
  EXPECT_EQ(models.host().list().size(), 3u);
  EXPECT_TRUE(soon([&] { return models.ask("c").status == 200; })) << "nothing is left in use";
}

}  // namespace
}  // namespace hearth
