#include "server/app.h"

#include <atomic>
#include <exception>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>

#include <boost/asio.hpp>

#include "runtime/base/log.h"
#include "runtime/base/nearest_name.h"
#include "server/api_error.h"
#include "server/config.h"
#include "server/files/file_store.h"
#include "server/http_server.h"
#include "server/jobs/job_service.h"
#include "server/load_served.h"
#include "server/metrics.h"
#include "server/routes.h"
#include "server/state/state_directory.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kSweepPeriod = std::chrono::minutes(10);
constexpr int kLoadingRetrySeconds = 2, kDrainingRetrySeconds = 10;
// Connections beside those that wait for an answer: probes, lists, idle ones.
constexpr int kSpareConnections = 64, kMaxConnections = 960;  // cpp-httplib's select() ends at descriptor 1,024

HttpLimits limits_for(const AppOptions& options) {
  HttpLimits limits;
  const int64_t answers = int64_t{options.engine.max_running} + options.engine.max_queued;
  const auto models = static_cast<int64_t>(std::max<size_t>(options.models.size(), 1));
  limits.max_connections = static_cast<int>(std::min<int64_t>(answers * models + kSpareConnections, kMaxConnections));
  return limits;
}

ApiError shutting_down() {
  return {ErrorCode::kUnavailable,
          "the server is shutting down",
          {.code = "shutting_down", .retry_after_seconds = kDrainingRetrySeconds}};
}

ApiError model_loading(std::string_view id) {
  return {ErrorCode::kUnavailable,
          fmt::format("'{}' is being loaded", id),
          {.code = "model_loading", .retry_after_seconds = kLoadingRetrySeconds}};
}

// The ids that lead to a model and its adapters.
std::vector<std::string> names_of(const AppOptions::Model& model) {
  std::vector<std::string> names = {model.id};
  for (const AppOptions::Adapter& adapter : model.adapters) {
    names.push_back(adapter.id);
    names.push_back(ServedModel::adapter_id(model.id, adapter.id));
  }
  return names;
}

}  // namespace

struct App::Impl {
  Impl(App& app, AppOptions given)
      : options(std::move(given)),
        tls(options.tls.empty() ? nullptr : std::make_unique<TlsContext>(options.tls)),
        api(app, options),
        server(api, limits_for(options), tls.get()) {
    if (options.state_directory.empty()) return;
    state_directory.emplace(options.state_directory);
    files.emplace(state_directory->database(), state_directory->files(),
                  FileStoreOptions{.max_bytes = options.max_files_bytes});
    jobs.emplace(*state_directory, options.jobs, JobHooks{});
  }

  void load_all();
  void sweep_files_now_and_then();
  const AppOptions options;
  const std::unique_ptr<TlsContext> tls;  // null for plain HTTP
  Metrics metrics;
  std::optional<StateDirectory> state_directory;
  std::optional<FileStore> files;
  std::optional<JobService> jobs;
  std::atomic<State> state{State::kLoading};
  mutable std::mutex mutex;
  std::vector<std::shared_ptr<ServedModel>> models;  // loaded so far
  std::exception_ptr failure;
  boost::asio::io_context loop{1};
  boost::asio::steady_timer sweep_timer{loop};
  Api api;
  HttpServer server;
  std::thread loader;
  std::mutex stopping;  // one stop() at a time
};

void App::Impl::load_all() {
  try {
    for (const AppOptions::Model& source : options.models) {
      if (state != State::kLoading) return;
      std::vector<std::shared_ptr<ServedModel>> loaded = load_served(options, source);
      const std::lock_guard lock(mutex);
      std::move(loaded.begin(), loaded.end(), std::back_inserter(models));
    }
    State loading = State::kLoading;  // a drain that began meanwhile stays
    state.compare_exchange_strong(loading, State::kReady);
  } catch (const std::exception&) {
    {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
    state = State::kFailed;
    loop.stop();
  }
}

void App::Impl::sweep_files_now_and_then() {
  if (!files) return;
  sweep_timer.expires_after(kSweepPeriod);
  sweep_timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    try {
      files->sweep();
    } catch (const Error& problem) {
      log::warn("expired files are not removed: {}", problem.what());
    }
    sweep_files_now_and_then();
  });
}

App::App(AppOptions options) {
  check_exposure(options.host, options.api_keys);
  if (options.models.empty()) throw invalid_argument("there is no model to serve; give --model PATH_OR_NAME");
  impl_ = std::make_unique<Impl>(*this, std::move(options));
}

App::~App() { stop(); }

void App::start() {
  impl_->server.start(impl_->options.host, impl_->options.port);
  log::info("listening on {}://{}:{}", impl_->tls ? "https" : "http", impl_->options.host, port());
  impl_->loader = std::thread([this] { impl_->load_all(); });
  if (impl_->jobs) impl_->jobs->runner().start();
}

void App::run() {
  boost::asio::signal_set signals(impl_->loop, SIGINT, SIGTERM);
  const auto work = boost::asio::make_work_guard(impl_->loop);
  std::thread drainer;
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    log::info("draining: no new requests; running answers have {} s", impl_->options.drain_timeout.count());
    drainer = std::thread([this] {
      if (!drain(impl_->options.drain_timeout)) log::warn("some answers were cut off");
      impl_->loop.stop();
    });
    signals.async_wait([this](const boost::system::error_code& again, int) {
      if (!again) impl_->loop.stop();
    });
  });
  impl_->sweep_files_now_and_then();
  start();
  impl_->loop.run();
  stop();
  if (drainer.joinable()) drainer.join();
  const std::lock_guard lock(impl_->mutex);
  if (impl_->failure) std::rethrow_exception(impl_->failure);
}

bool App::drain(std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const auto left = [deadline] {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()),
                    std::chrono::milliseconds(0));
  };
  impl_->state = State::kDraining;
  std::vector<std::shared_ptr<ServedModel>> models;
  {
    const std::lock_guard lock(impl_->mutex);
    models = impl_->models;
  }
  for (const auto& model : models) model->engine->drain();
  if (impl_->jobs) impl_->jobs->runner().stop();
  for (const auto& model : models)
    if (!model->engine->wait_idle(left())) return false;
  return impl_->server.wait_idle(left());  // what was drawn has been sent too
}

void App::stop() {
  const std::lock_guard lock(impl_->stopping);
  State state = impl_->state;
  while (state != State::kFailed && !impl_->state.compare_exchange_weak(state, State::kDraining)) {
  }
  if (impl_->jobs) impl_->jobs->runner().stop();
  impl_->server.stop();
  impl_->loop.stop();
  if (impl_->loader.joinable()) impl_->loader.join();
}

int App::port() const { return impl_->server.port(); }
App::State App::state() const { return impl_->state; }
Metrics& App::metrics() { return impl_->metrics; }

JobService& App::jobs() {
  if (!impl_->jobs) throw failed_precondition("this daemon has no state directory, so it keeps no jobs");
  return *impl_->jobs;
}

FileStore& App::files() {
  if (!impl_->files) throw failed_precondition("this daemon has no state directory, so it keeps no files");
  return *impl_->files;
}

const AppOptions& App::options() const { return impl_->options; }

std::vector<std::shared_ptr<ServedModel>> App::models() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->models;
}

std::shared_ptr<ServedModel> App::model(std::string_view id) const {
  for (const auto& model : models())
    if (model->answers_to(id)) return model;
  std::vector<std::string> known;
  for (const AppOptions::Model& source : impl_->options.models) {
    for (std::string& name : names_of(source)) {
      if (name == id) throw state() == State::kLoading ? model_loading(id) : shutting_down();
      known.push_back(std::move(name));
    }
  }
  throw ApiError(ErrorCode::kNotFound,
                 fmt::format("the model '{}' does not exist{}; served: '{}'", id, did_you_mean(id, known),
                             fmt::join(known, "', '")),
                 {.code = "model_not_found", .param = "model"});
}

std::shared_ptr<ServedModel> App::model_for_generation(std::string_view id) const {
  if (state() == State::kDraining) throw shutting_down();
  std::shared_ptr<ServedModel> found = model(id);
  if (found->value_head)
    throw invalid_field("model", fmt::format("'{}' is a reward model, which scores texts and writes none; use "
                                             "/v1/score/evaluation",
                                             id));
  return found;
}

std::shared_ptr<ServedModel> App::model_for_scores(std::string_view id) const {
  if (state() == State::kDraining) throw shutting_down();
  std::shared_ptr<ServedModel> found = model(id);
  if (!found->value_head)
    throw invalid_field("model", fmt::format("'{}' is no reward model: there is no value_head.safetensors beside it; "
                                             "serve what a run with stage: rm wrote",
                                             id));
  return found;
}

}  // namespace hearth
