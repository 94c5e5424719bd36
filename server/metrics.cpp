#include "server/metrics.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "runtime/base/memory.h"

namespace hearth {
namespace {

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets kShort = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5};
const Buckets kLong = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640};
constexpr double kDecay = 0.1;       // of the running mean of how long answers take
constexpr int kMaxRetryAfter = 120;  // OpenAI's clients give up when told to wait longer

// What /metrics names a value, and where in the engine's numbers it is.
struct EngineValue {
  const char* name;
  const char* help;
  double (*read)(const EngineStats& stats);
};
constexpr EngineValue kCounters[] = {
    {"hearth_prompt_tokens_total", "Prompt tokens computed",
     [](const EngineStats& s) { return double(s.prompt_tokens); }},
    {"hearth_generated_tokens_total", "Tokens drawn", [](const EngineStats& s) { return double(s.generated_tokens); }},
    {"hearth_cached_tokens_total", "Prompt tokens found in the prefix cache",
     [](const EngineStats& s) { return double(s.cached_tokens); }},
    {"hearth_steps_total", "Steps of the engine", [](const EngineStats& s) { return double(s.steps); }},
    {"hearth_prefill_seconds_total", "Time of steps spent on prompts",
     [](const EngineStats& s) { return s.prefill_seconds; }},
    {"hearth_decode_seconds_total", "Time of steps spent on answers",
     [](const EngineStats& s) { return s.decode_seconds; }},
    {"hearth_cancelled_total", "Sequences that were cancelled",
     [](const EngineStats& s) { return double(s.cancelled); }},
    {"hearth_failed_total", "Sequences that failed", [](const EngineStats& s) { return double(s.failed); }},
    {"hearth_preempted_total", "Sequences that gave up their blocks to others for a while",
     [](const EngineStats& s) { return double(s.preempted); }},
};
constexpr EngineValue kGauges[] = {
    {"hearth_sequences_running", "Sequences in the batch", [](const EngineStats& s) { return double(s.running); }},
    {"hearth_sequences_queued", "Sequences that wait", [](const EngineStats& s) { return double(s.queued); }},
    {"hearth_kv_blocks_used", "KV blocks held by sequences",
     [](const EngineStats& s) { return double(s.blocks_used); }},
    {"hearth_kv_blocks_total", "KV blocks of the cache", [](const EngineStats& s) { return double(s.blocks_total); }},
};

prometheus::Family<prometheus::Histogram>& histogram(prometheus::Registry& registry, const char* name,
                                                     const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Histogram>& first_token = histogram(
      registry, "hearth_time_to_first_token_seconds", "From a request's arrival to the first text of an answer");
  prometheus::Family<prometheus::Histogram>& inter_token =
      histogram(registry, "hearth_inter_token_seconds", "Between two pieces of an answer's text");
  prometheus::Family<prometheus::Histogram>& answer =
      histogram(registry, "hearth_answer_seconds", "From a request's arrival to the end of an answer");
  prometheus::Family<prometheus::Histogram>& queue =
      histogram(registry, "hearth_queue_seconds", "From submission to the first step of an answer");
  prometheus::Family<prometheus::Counter>& answers =
      prometheus::BuildCounter().Name("hearth_answers_total").Help("Answers by how they ended").Register(registry);
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter().Name("hearth_http_requests_total").Help("HTTP requests").Register(registry);
  prometheus::Family<prometheus::Histogram>& request_seconds =
      histogram(registry, "hearth_http_request_seconds", "From a request's headers to the last byte of its reply");
  prometheus::Gauge& models_loaded = gauge(registry, "hearth_models_loaded", "Models in memory, without adapters");
  prometheus::Gauge& model_memory =
      gauge(registry, "hearth_model_memory_bytes", "What loaded models take together, told from their files");
  prometheus::Gauge& model_memory_limit =
      gauge(registry, "hearth_model_memory_limit_bytes", "What loaded models may take together");
  prometheus::Gauge& resident = gauge(registry, "hearth_process_resident_bytes", "Resident memory of the daemon");
  prometheus::Family<prometheus::Gauge>& jobs =
      prometheus::BuildGauge().Name("hearth_jobs").Help("Jobs of the queue by their status").Register(registry);
  prometheus::Counter& loads = prometheus::BuildCounter()
                                   .Name("hearth_model_loads_total")
                                   .Help("Models that came into memory")
                                   .Register(registry)
                                   .Add({});
  prometheus::Counter& evictions = prometheus::BuildCounter()
                                       .Name("hearth_model_evictions_total")
                                       .Help("Models that left memory to make room for others")
                                       .Register(registry)
                                       .Add({});

  class Model : public ModelMetrics {
   public:
    Model(Impl& metrics, const std::string& id)
        : id_(id),
          answers_(metrics.answers),
          first_token_(metrics.first_token.Add({{"model", id}}, kLong)),
          inter_token_(metrics.inter_token.Add({{"model", id}}, kShort)),
          answer_(metrics.answer.Add({{"model", id}}, kLong)),
          queue_(metrics.queue.Add({{"model", id}}, kLong)) {}

    void first_token(double since_request) override { first_token_.Observe(since_request); }
    void next_token(double since_previous) override { inter_token_.Observe(since_previous); }
    void finished(std::string_view reason, double since_request, double queued) override {
      queue_.Observe(queued);
      answer_.Observe(since_request);
      answers_.Add({{"model", id_}, {"finish_reason", std::string(reason)}}).Increment();
      // What it waited is the queue's length, which is counted below.
      const double took = std::max(0.0, since_request - queued), mean = mean_seconds_.load();
      mean_seconds_ = mean == 0 ? took : mean + kDecay * (took - mean);
    }
    int retry_after_seconds(const EngineStats& stats, int max_running) const override {
      const double waves = std::ceil((stats.queued + 1.0) / std::max(1, std::min(max_running, stats.running)));
      return static_cast<int>(std::clamp(std::ceil(mean_seconds_.load() * waves), 1.0, double{kMaxRetryAfter}));
    }

   private:
    const std::string id_;
    prometheus::Family<prometheus::Counter>& answers_;
    prometheus::Histogram& first_token_;
    prometheus::Histogram& inter_token_;
    prometheus::Histogram& answer_;
    prometheus::Histogram& queue_;
    std::atomic<double> mean_seconds_{0};
  };

  std::mutex mutex;
  std::map<std::string, std::unique_ptr<Model>> models;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

ModelMetrics& Metrics::model(const std::string& id) {
  const std::lock_guard lock(impl_->mutex);
  std::unique_ptr<Impl::Model>& model = impl_->models[id];
  if (!model) model = std::make_unique<Impl::Model>(*impl_, id);
  return *model;
}

void Metrics::request(std::string_view route, int status, double seconds) {
  const std::string name(route);
  impl_->requests.Add({{"route", name}, {"status", std::to_string(status)}}).Increment();
  impl_->request_seconds.Add({{"route", name}}, kLong).Observe(seconds);
}

void Metrics::update(const std::string& id, const EngineStats& stats) {
  const std::lock_guard lock(impl_->mutex);  // two scrapes at once must not count twice
  for (const EngineValue& value : kCounters) {
    auto& family = prometheus::BuildCounter().Name(value.name).Help(value.help).Register(impl_->registry);
    prometheus::Counter& counter = family.Add({{"model", id}});
    counter.Increment(std::max(0.0, value.read(stats) - counter.Value()));
  }
  for (const EngineValue& value : kGauges) {
    auto& family = prometheus::BuildGauge().Name(value.name).Help(value.help).Register(impl_->registry);
    family.Add({{"model", id}}).Set(value.read(stats));
  }
}

void Metrics::forget(const std::string& id) {
  const std::lock_guard lock(impl_->mutex);
  for (const EngineValue& value : kCounters) {
    auto& family = prometheus::BuildCounter().Name(value.name).Help(value.help).Register(impl_->registry);
    family.Remove(&family.Add({{"model", id}}));
  }
  for (const EngineValue& value : kGauges) {
    auto& family = prometheus::BuildGauge().Name(value.name).Help(value.help).Register(impl_->registry);
    family.Remove(&family.Add({{"model", id}}));
  }
}

void Metrics::models_loaded(int64_t count) { impl_->models_loaded.Set(static_cast<double>(count)); }
void Metrics::model_loaded() { impl_->loads.Increment(); }
void Metrics::model_evicted() { impl_->evictions.Increment(); }

void Metrics::model_memory(int64_t loaded_bytes, int64_t limit_bytes) {
  impl_->model_memory.Set(static_cast<double>(loaded_bytes));
  impl_->model_memory_limit.Set(static_cast<double>(limit_bytes));
}
void Metrics::jobs(std::string_view status, int64_t count) {
  impl_->jobs.Add({{"status", std::string(status)}}).Set(static_cast<double>(count));
}

std::string Metrics::text() const {
  impl_->resident.Set(static_cast<double>(resident_memory()));
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace hearth
