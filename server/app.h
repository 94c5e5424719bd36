// The daemon: the one place where models, engines, HTTP and signals are wired together. The socket is open at once;
// models load behind it (/readyz turns 200 when those that fit the memory are loaded and warm).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/loader.h"
#include "runtime/engine/engine.h"
#include "server/images/image_urls.h"
#include "server/jobs/job_runner.h"
#include "server/keys/key_store.h"
#include "server/rate_limiter.h"
#include "server/served_model.h"
#include "server/stored/answer_store.h"
#include "server/tls.h"

namespace hearth {

class BackgroundResponses;
class FineTuning;
class Client;
class DatasetStore;
class FileStore;
class HttpServer;
class ImageSources;
class JobService;
class Metrics;
class ModelHost;
class Pulls;

struct AppOptions {
  struct Adapter {
    std::string id;
    std::filesystem::path path;
  };
  struct Model {
    std::string id;
    std::filesystem::path path;
    ChatOptions chat = {};
    std::vector<std::filesystem::path> applied = {};  // adapters that the model has under its own id, in this order
    std::vector<Adapter> adapters = {};               // served beside it; not together with `applied`
  };
  std::vector<Model> models;  // distinct ids, with those of all adapters
  std::string host = "127.0.0.1";
  int port = 8000;                        // 0: any free port
  std::vector<std::string> api_keys;      // which may do everything; with none here and in `keys` none is asked for
  std::shared_ptr<KeyStore> keys;         // null: those of the state directory
  RateLimits rate_limits;                 // of each key
  std::vector<std::string> cors_origins;  // "*" or origins; empty: no CORS headers
  EngineOptions engine;
  ComputeDtype compute_dtype = ComputeDtype::kAuto;
  GenerationDefaults generation;      // before the checkpoints' own
  std::string tool_call_parser = {};  // how calls of tools are read (CallFormat); empty: by the template
  int default_max_tokens = 0;         // of a chat answer that does not say; 0: what the context holds
  std::chrono::seconds drain_timeout{30};
  TlsFiles tls;                                 // empty: plain HTTP
  std::filesystem::path state_directory = {};   // empty: no jobs, no files and no keys of its own
  int64_t max_files_bytes = int64_t{20} << 30;  // of all uploaded files
  ImageUrls image_urls;                         // which of other servers' images are fetched
  AnswerStoreOptions stored;                    // responses and chat completions that clients let the daemon keep
  RunnerOptions jobs;
  ExecutorOptions executor;  // of jobs
  int64_t model_memory = 0;  // bytes that loaded models may take together; 0: 3/4 of the machine's
  std::chrono::milliseconds load_timeout{60'000};  // of a request for a model that is not loaded
  // How a model comes into memory; for tests that need a model of their own.
  std::function<LoadedModel(const Model&, ComputeDtype)> load = [](const Model& model, ComputeDtype dtype) {
    return load_model(model.path, {.compute_dtype = dtype, .chat = model.chat});
  };
  std::function<void(const std::string& url)> listening = {};  // called once, when the socket is open
};

class App {
 public:
  explicit App(AppOptions options);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // start(), then signals on the calling thread until SIGTERM or SIGINT has drained the daemon (a second one ends it at
  // once) or stop() was called. Throws what loading a model throws.
  void run();

  // Binds the port and returns; models load in the background. Throws kUnavailable when the port is taken.
  void start();
  // Refuses new generation (503 shutting_down), lets running answers finish, true; false when some were left at the
  // deadline. Thread-safe.
  bool drain(std::chrono::milliseconds timeout);
  // Cancels what is left and closes the socket. Thread-safe.
  void stop();

  int port() const;

  enum class State { kLoading, kReady, kDraining, kFailed };
  State state() const;

  // Which models there are.
  ModelHost& host() const;
  // Those that are loaded, in the order of the options, each model's adapters behind it.
  std::vector<std::shared_ptr<ServedModel>> models() const;
  // ModelHost::acquire: waits while the model is loaded, as long as the client does.
  std::shared_ptr<ServedModel> model(std::string_view id, Client* client = nullptr) const;
  // The same for what starts new work: a 503 while the daemon drains, a 400 for a reward model.
  std::shared_ptr<ServedModel> model_for_generation(std::string_view id, Client* client = nullptr) const;
  // Only reward models: a 400 for all others.
  std::shared_ptr<ServedModel> model_for_scores(std::string_view id, Client* client = nullptr) const;
  Metrics& metrics();
  // Where the pictures of conversations come from.
  const ImageSources& images() const;
  // Throw kFailedPrecondition where there is no state directory.
  JobService& jobs();
  FileStore& files();
  DatasetStore& datasets();
  FineTuning& fine_tuning();
  Pulls& pulls();
  BackgroundResponses& background_responses();
  // Throws kFailedPrecondition where none are kept: without a state directory, or with a retention of 0.
  AnswerStore& stored_answers();
  AnswerStore* find_stored_answers();  // null where none are kept
  const AppOptions& options() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
