// A daemon with a tiny llama in this process, optionally one that takes its time, so that requests can be caught
// queued, in prefill or decoding.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>

#include "server/app.h"
#include "tests/models/tiny_models.h"
#include "tests/support/http_test_client.h"
#include "tests/support/soon.h"
#include "tests/support/temporary_directory.h"

namespace hearth::test {

inline constexpr int kTestContext = 512;

// Waits in front of every step for as long as it is told.
class SlowModel : public LanguageModel {
 public:
  SlowModel(std::shared_ptr<const LanguageModel> model, std::shared_ptr<std::atomic<int>> milliseconds)
      : model_(std::move(model)), milliseconds_(std::move(milliseconds)) {}
  const ModelDims& dims() const override { return model_->dims(); }
  Tensor forward(const Batch& batch) const override {
    std::this_thread::sleep_for(std::chrono::milliseconds(*milliseconds_));
    return model_->forward(batch);
  }
  const OutputHead& output_head() const override { return model_->output_head(); }
  std::span<const std::shared_ptr<ModelTensor>> tensors() const override { return model_->tensors(); }

 private:
  std::shared_ptr<const LanguageModel> model_;
  std::shared_ptr<std::atomic<int>> milliseconds_;
};

struct TestApp {
  // `change` adjusts the options before the daemon starts.
  explicit TestApp(const std::function<void(AppOptions&)>& change = {}, int context = kTestContext) {
    nlohmann::json one = tiny_model("none");
    one["config"]["max_position_embeddings"] = context;
    make_directory(one, directory.path());
    AppOptions options;
    options.models = {{"tiny", directory.path()}};
    options.port = 0;
    options.engine.cache_tokens = 4096;
    options.load = [delay = step_milliseconds](const AppOptions::Model& model, ComputeDtype dtype) {
      LoadedModel loaded = load_model(model.path, {.compute_dtype = dtype, .chat = model.chat});
      loaded.model = std::make_shared<SlowModel>(loaded.model, delay);
      return loaded;
    };
    if (change) change(options);
    app = std::make_unique<App>(options);
    app->start();
    if (!soon([&] { return app->state() != App::State::kLoading; }) || app->state() != App::State::kReady)
      throw std::runtime_error("the daemon did not become ready");
  }

  HttpAnswer post(std::string_view path, const nlohmann::ordered_json& body) const {
    return fetch(app->port(), "POST", path, body.dump());
  }
  HttpAnswer get(std::string_view path) const { return fetch(app->port(), "GET", path); }
  EngineStats stats() const { return app->models().front()->engine->stats(); }
  bool is_idle() const {
    const EngineStats now = stats();
    return now.running == 0 && now.queued == 0 && now.blocks_used == 0;
  }

  TemporaryDirectory directory;
  std::shared_ptr<std::atomic<int>> step_milliseconds = std::make_shared<std::atomic<int>>(0);
  std::unique_ptr<App> app;
};

}  // namespace hearth::test
