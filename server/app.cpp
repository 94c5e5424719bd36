#include "server/app.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include <boost/asio.hpp>

#include "runtime/base/log.h"
#include "server/api_error.h"
#include "server/api_keys.h"
#include "server/config.h"
#include "server/datasets/dataset_store.h"
#include "server/files/file_store.h"
#include "server/fine_tuning_tools.h"
#include "server/http_server.h"
#include "server/images/image_sources.h"
#include "server/jobs/job_service.h"
#include "server/keys/database_keys.h"
#include "server/metrics.h"
#include "server/models/model_host.h"
#include "server/pulled_models.h"
#include "server/pulls.h"
#include "server/responses/background_responses.h"
#include "server/routes.h"
#include "server/service_manager.h"
#include "server/state/state_directory.h"
#include "server/trained_models.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kSweepPeriod = std::chrono::minutes(10);
// Connections beside those that wait for an answer: probes, lists, idle ones.
constexpr int kSpareConnections = 64, kMaxConnections = 960;  // cpp-httplib's select() ends at descriptor 1,024

HttpLimits limits_for(const AppOptions& options) {
  HttpLimits limits;
  const int64_t answers = int64_t{options.engine.max_running} + options.engine.max_queued;
  const auto models = static_cast<int64_t>(std::max<size_t>(options.models.size(), 1));
  limits.max_connections = static_cast<int>(std::min<int64_t>(answers * models + kSpareConnections, kMaxConnections));
  return limits;
}

}  // namespace

struct App::Impl {
  Impl(App& app, AppOptions given)
      : options(std::move(given)),
        tls(options.tls.empty() ? nullptr : std::make_unique<TlsContext>(options.tls)),
        host(options, metrics),
        keys(open_state()),
        images(files ? &*files : nullptr, options.image_urls),
        background(kept_answers()),
        api(app, options, keys.get()),
        server(api, limits_for(options), tls.get()) {}

  std::shared_ptr<KeyStore> open_state() {
    if (options.state_directory.empty()) return options.keys;
    state_directory.emplace(options.state_directory);
    files.emplace(state_directory->database(), state_directory->files(),
                  FileStoreOptions{.max_bytes = options.max_files_bytes});
    answers.emplace(state_directory->database(), options.stored);
    datasets.emplace(state_directory->datasets(), *files);
    JobHooks hooks;
    hooks.validate = [this](const Job& job) { return fine_tuning->validate(job); };
    hooks.succeeded = [this](const Job& job, const JobJson& finished) {
      return job.id.starts_with(kTuningPrefix) ? fine_tuning->finish(job, finished) : trained.serve(job, finished);
    };
    jobs.emplace(*state_directory, options.executor, options.jobs, std::move(hooks));
    fine_tuning.emplace(jobs->store(), state_directory->jobs(),
                        fine_tuning_tools(options, host, *files, jobs->store()));
    pulled.serve_again(state_directory->database());
    attach_tuned_models(host, jobs->store());
    trained.serve_again(jobs->store());
    host.on_delete([this](const std::string& id) {
      fine_tuning->forget(id);
      trained.forget(jobs->store(), id);
    });
    return options.keys ? options.keys : std::make_shared<DatabaseKeys>(state_directory->database());
  }

  AnswerStore* kept_answers() { return answers && answers->keeps_answers() ? &*answers : nullptr; }

  void load_all();
  void sweep_now_and_then();
  const AppOptions options;
  const std::unique_ptr<TlsContext> tls;  // null for plain HTTP
  Metrics metrics;
  ModelHost host;
  TrainedModels trained{host};
  PulledModels pulled{host};
  Pulls pulls{[this](const std::string& name) { return pulled.serve(name); }};
  std::optional<StateDirectory> state_directory;
  std::optional<FileStore> files;
  std::optional<AnswerStore> answers;
  std::optional<DatasetStore> datasets;
  std::optional<JobService> jobs;
  std::optional<FineTuning> fine_tuning;
  std::shared_ptr<KeyStore> keys;  // may be null
  const ImageSources images;
  BackgroundResponses background;
  std::atomic<State> state{State::kLoading};
  mutable std::mutex mutex;  // of failure
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
    host.load_configured();
    State loading = State::kLoading;  // a drain that began meanwhile stays
    if (state.compare_exchange_strong(loading, State::kReady)) notify_service_manager("READY=1");
  } catch (const std::exception&) {
    {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
    state = State::kFailed;
    loop.stop();
    return;
  }
  host.serve_loads();
}

void App::Impl::sweep_now_and_then() {
  if (!files) return;
  sweep_timer.expires_after(kSweepPeriod);
  sweep_timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    try {
      files->sweep();
      answers->sweep();
    } catch (const Error& problem) {
      log::warn("what has expired is not removed: {}", problem.what());
    }
    sweep_now_and_then();
  });
}

App::App(AppOptions options) {
  if (options.models.empty()) throw invalid_argument("there is no model to serve; give --model PATH_OR_NAME");
  impl_ = std::make_unique<Impl>(*this, std::move(options));
  check_exposure(impl_->options.host, ApiKeys(impl_->options.api_keys, impl_->keys.get()).required());
}

App::~App() { stop(); }

void App::start() {
  impl_->server.start(impl_->options.host, impl_->options.port);
  const std::string url = fmt::format("{}://{}:{}", impl_->tls ? "https" : "http", impl_->options.host, port());
  log::info("listening on {}", url);
  if (impl_->options.listening) impl_->options.listening(url);
  impl_->loader = std::thread([this] { impl_->load_all(); });
  if (impl_->jobs) impl_->jobs->runner().start();
}

void App::run() {
  boost::asio::signal_set signals(impl_->loop, SIGINT, SIGTERM);
  const auto work = boost::asio::make_work_guard(impl_->loop);
  std::thread drainer;
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    notify_service_manager("STOPPING=1");
    log::info("draining: no new requests; running answers have {} s", impl_->options.drain_timeout.count());
    drainer = std::thread([this] {
      if (!drain(impl_->options.drain_timeout)) log::warn("some answers were cut off");
      impl_->loop.stop();
    });
    signals.async_wait([this](const boost::system::error_code& again, int) {
      if (!again) impl_->loop.stop();
    });
  });
  impl_->sweep_now_and_then();
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
  impl_->host.drain();
  impl_->pulls.stop();
  const std::vector<std::shared_ptr<ServedModel>> models = impl_->host.loaded();
  for (const auto& model : models) model->engine->drain();
  if (impl_->jobs) impl_->jobs->runner().stop();
  for (const auto& model : models)
    if (!model->engine->wait_idle(left())) return false;
  if (!impl_->background.wait_idle(left())) return false;
  return impl_->server.wait_idle(left());  // what was drawn has been sent too
}

void App::stop() {
  const std::lock_guard lock(impl_->stopping);
  State state = impl_->state;
  while (state != State::kFailed && !impl_->state.compare_exchange_weak(state, State::kDraining)) {
  }
  if (impl_->jobs) impl_->jobs->runner().stop();
  impl_->pulls.stop();
  impl_->host.stop();
  impl_->background.stop();
  impl_->server.stop();
  impl_->loop.stop();
  if (impl_->loader.joinable()) impl_->loader.join();
}

int App::port() const { return impl_->server.port(); }
App::State App::state() const { return impl_->state; }
Metrics& App::metrics() { return impl_->metrics; }
const ImageSources& App::images() const { return impl_->images; }

JobService& App::jobs() {
  if (!impl_->jobs) throw failed_precondition("this daemon has no state directory, so it keeps no jobs");
  return *impl_->jobs;
}

FileStore& App::files() {
  if (!impl_->files) throw failed_precondition("this daemon has no state directory, so it keeps no files");
  return *impl_->files;
}

DatasetStore& App::datasets() {
  if (!impl_->datasets) throw failed_precondition("this daemon has no state directory, so it keeps no data sets");
  return *impl_->datasets;
}

FineTuning& App::fine_tuning() {
  if (!impl_->fine_tuning) throw failed_precondition("this daemon has no state directory, so it trains nothing");
  return *impl_->fine_tuning;
}

Pulls& App::pulls() { return impl_->pulls; }
BackgroundResponses& App::background_responses() { return impl_->background; }
AnswerStore* App::find_stored_answers() { return impl_->kept_answers(); }

AnswerStore& App::stored_answers() {
  if (AnswerStore* kept = find_stored_answers()) return *kept;
  throw failed_precondition("this daemon keeps no answers: start it with a state directory and stored_days above 0");
}

const AppOptions& App::options() const { return impl_->options; }

ModelHost& App::host() const { return impl_->host; }
std::vector<std::shared_ptr<ServedModel>> App::models() const { return impl_->host.loaded(); }

std::shared_ptr<ServedModel> App::model(std::string_view id, Client* client) const {
  // Checkpoints are not served before somebody asks for one.
  if (impl_->fine_tuning && !impl_->host.path_of(id)) impl_->fine_tuning->serve_checkpoint(id);
  return impl_->host.acquire(id, client);
}

std::shared_ptr<ServedModel> App::model_for_generation(std::string_view id, Client* client) const {
  if (state() == State::kDraining) throw shutting_down();
  std::shared_ptr<ServedModel> found = model(id, client);
  if (found->value_head)
    throw invalid_field("model", fmt::format("'{}' is a reward model, which scores texts and writes none; use "
                                             "/v1/score/evaluation",
                                             id));
  return found;
}

std::shared_ptr<ServedModel> App::model_for_scores(std::string_view id, Client* client) const {
  if (state() == State::kDraining) throw shutting_down();
  std::shared_ptr<ServedModel> found = model(id, client);
  if (!found->value_head)
    throw invalid_field("model", fmt::format("'{}' is no reward model: there is no value_head.safetensors beside it; "
                                             "serve what a run with stage: rm wrote",
                                             id));
  return found;
}

}  // namespace hearth
