// What /metrics shows: names hearth_*, with the model as a label, histograms of the latencies that users feel. Every
// function is thread-safe. Nothing here holds text of a prompt or an answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/engine/engine.h"

namespace hearth {

// The times of one answer, in seconds.
class ModelMetrics {
 public:
  virtual ~ModelMetrics() = default;
  virtual void first_token(double since_request) = 0;
  virtual void next_token(double since_previous) = 0;
  // `reason`: stop, length, cancelled or error; `queued`: before its first step.
  virtual void finished(std::string_view reason, double since_request, double queued) = 0;
  // After how long a request that is refused now would probably find room; from how long answers took of late.
  virtual int retry_after_seconds(const EngineStats& stats, int max_running) const = 0;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();

  // The same object for the same name; lives as long as this.
  ModelMetrics& model(const std::string& id);
  // `route`: a pattern of the route table, so that labels stay few.
  void request(std::string_view route, int status, double seconds);
  // Sets the gauges and counters that the engine keeps.
  void update(const std::string& id, const EngineStats& stats);
  // The engine of the model is gone; what update() set begins anew with its next one.
  void forget(const std::string& id);
  void models_loaded(int64_t count);  // now
  void model_loaded();                // one more load
  void model_evicted();               // one more that made room for another
  void model_memory(int64_t loaded_bytes, int64_t limit_bytes);
  void jobs(std::string_view status, int64_t count);  // of the queue that are in this state
  // Prometheus' text format.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
