// An MLflow run over the REST API of a tracking server (api/2.0/mlflow), as transformers' MLflowCallback makes it:
// MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME (else "Default"), MLFLOW_TRACKING_TOKEN, which goes to that server only.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "finetune/reports/report.h"
#include "runtime/http_client/http_client.h"

namespace hearth {

class Mlflow : public Report {
 public:
  std::string name() const override { return "MLflow"; }
  void on_begin(const TrainSpec& spec, const TrainerState& state) override;
  void on_log(const TrainerState& state) override;
  void on_end(const TrainerState& state, Outcome outcome) override;

 private:
  // The answer's JSON; `missing` takes a 404 as null. Throws kUnavailable for any other status.
  enum class Absence { kFailure, kMissing };
  nlohmann::json call(const std::string& endpoint, const nlohmann::json& body, Absence absence = Absence::kFailure);
  std::string experiment_id(const std::string& experiment);
  void log_params(const TrainSpec& spec);

  HttpClient client_;
  std::string server_, token_, run_id_;
};

}  // namespace hearth
