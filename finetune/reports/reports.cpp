#include <array>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "finetune/reports/mlflow.h"
#include "finetune/reports/report.h"
#include "finetune/reports/tensorboard.h"
#include "finetune/reports/trainer_log.h"
#include "finetune/reports/wandb.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

template <class R>
std::unique_ptr<Report> make() {
  return std::make_unique<R>();
}

struct Tracker {
  std::string_view name;
  std::unique_ptr<Report> (*make)();
};
constexpr std::array<Tracker, 3> kTrackers = {
    {{"tensorboard", make<TensorBoard>}, {"mlflow", make<Mlflow>}, {"wandb", make<Wandb>}}};

}  // namespace

Reports::Reports(const TrainSpec& spec) : log_(std::make_unique<TrainerLog>()) {
  for (const std::string& wanted : spec.training.report_to) {
    if (wanted == "none") continue;
    const size_t before = trackers_.size();
    for (const Tracker& tracker : kTrackers)
      if (tracker.name == wanted || wanted == "all") trackers_.push_back(tracker.make());
    if (trackers_.size() > before) continue;
    std::array<std::string_view, kTrackers.size()> names;
    for (size_t i = 0; i < names.size(); ++i) names[i] = kTrackers[i].name;
    throw invalid_argument("report_to: '{}' is none of tensorboard, mlflow, wandb, none{}", wanted,
                           did_you_mean(wanted, names));
  }
}

template <class Call>
void Reports::each_tracker(Call call) {
  std::erase_if(trackers_, [&](const std::unique_ptr<Report>& tracker) {
    try {
      call(*tracker);
      return false;
    } catch (const std::exception& e) {
      log::warn("{}: {}; the run goes on without it", tracker->name(), e.what());
      return true;
    }
  });
}

void Reports::on_begin(const TrainSpec& spec, const TrainerState& state) {
  if (log_) log_->on_begin(spec, state);
  each_tracker([&](Report& tracker) { tracker.on_begin(spec, state); });
}

void Reports::on_log(const TrainerState& state) {
  if (log_) log_->on_log(state);
  each_tracker([&](Report& tracker) { tracker.on_log(state); });
}

void Reports::on_end(const TrainerState& state, Outcome outcome) {
  if (log_) log_->on_end(state, outcome);
  each_tracker([&](Report& tracker) { tracker.on_end(state, outcome); });
}

}  // namespace hearth
