#include "finetune/optim/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

struct Run {
  double peak, warmup, total;  // the learning rate; updates
  const std::map<std::string, double>& kwargs;

  double get(const char* key, double otherwise) const {
    const auto found = kwargs.find(key);
    return found == kwargs.end() ? otherwise : found->second;
  }
  double from_end_of_warmup(double step) const { return (step - warmup) / std::max(1.0, total - warmup); }
};

double half_cosine(double turns) { return 0.5 * (1 + std::cos(std::numbers::pi * turns)); }

// `decay` takes over where the straight line up from 0 has reached 1.
template <class Decay>
Schedule after_warmup(double warmup, Decay decay) {
  return [warmup, decay](int64_t step) {
    const double at = static_cast<double>(step);
    return at < warmup ? at / std::max(1.0, warmup) : decay(at);
  };
}

Schedule constant(const Run&) {
  return [](int64_t) { return 1.0; };
}

Schedule constant_with_warmup(const Run& run) {
  return after_warmup(run.warmup, [](double) { return 1.0; });
}

Schedule linear(const Run& run) {
  return after_warmup(run.warmup, [total = run.total, length = std::max(1.0, run.total - run.warmup)](double step) {
    return std::max(0.0, (total - step) / length);
  });
}

Schedule cosine_down_to(const Run& run, double least) {
  const double turns = 2 * run.get("num_cycles", 0.5), warmup = run.warmup;
  return after_warmup(warmup, [=, length = std::max(1.0, run.total - warmup)](double step) {
    return std::max(0.0, half_cosine(turns * ((step - warmup) / length)) * (1 - least) + least);
  });
}

Schedule cosine(const Run& run) { return cosine_down_to(run, 0); }

Schedule cosine_with_min_lr(const Run& run) {
  const bool absolute = run.kwargs.contains("min_lr"), relative = run.kwargs.contains("min_lr_rate");
  if (absolute == relative) {
    throw invalid_argument("lr_scheduler_kwargs: cosine_with_min_lr takes min_lr or min_lr_rate, {}",
                           absolute ? "not both" : "neither is given");
  }
  return cosine_down_to(run, absolute ? run.get("min_lr", 0) / run.peak : run.get("min_lr_rate", 0));
}

Schedule cosine_with_restarts(const Run& run) {
  const double cycles = run.get("num_cycles", 1), warmup = run.warmup;
  return after_warmup(warmup, [=, length = std::max(1.0, run.total - warmup)](double step) {
    const double progress = (step - warmup) / length;
    return progress >= 1 ? 0 : std::max(0.0, half_cosine(std::fmod(cycles * progress, 1.0)));
  });
}

Schedule polynomial(const Run& run) {
  const double last = run.get("lr_end", 1e-7), power = run.get("power", 1), peak = run.peak;
  if (!(peak > last)) {
    throw invalid_argument("lr_scheduler_kwargs: lr_end is {}, must be below learning_rate, which is {}", last, peak);
  }
  return after_warmup(run.warmup, [=, warmup = run.warmup, total = run.total](double step) {
    const double remaining = step >= total ? 0 : 1 - (step - warmup) / (total - warmup);
    return ((peak - last) * std::pow(remaining, power) + last) / peak;
  });
}

Schedule inverse_sqrt(const Run& run) {
  const double timescale = run.get("timescale", run.warmup > 0 ? run.warmup : 10000);
  if (!(timescale > 0))
    throw invalid_argument("lr_scheduler_kwargs: timescale is {}, must be above 0 updates", timescale);
  return after_warmup(run.warmup, [shift = timescale - run.warmup, timescale](double step) {
    return 1 / std::sqrt((step + shift) / timescale);
  });
}

// Without numbers of steps a third of what the warm-up leaves is stable, as LLaMA-Factory fills in.
Schedule warmup_stable_decay(const Run& run) {
  const double warmup = run.warmup, remaining = run.total - warmup, stable_default = std::floor(remaining / 3);
  const double stable = run.get("num_stable_steps", stable_default);
  const double decay = run.get("num_decay_steps", remaining - stable_default);
  const double least = run.get("min_lr_ratio", 0), turns = 2 * run.get("num_cycles", 0.5);
  return [=](int64_t number) {
    const double step = static_cast<double>(number);
    const auto above_least = [&](double factor) { return std::max(0.0, factor * (1 - least) + least); };
    if (step < warmup) return above_least(step / std::max(1.0, warmup));
    if (step < warmup + stable) return 1.0;
    if (step >= warmup + stable + decay) return least;
    return above_least(half_cosine(turns * ((step - warmup - stable) / std::max(1.0, decay))));
  };
}

struct Type {
  SchedulerType type;
  const char* name;
  Schedule (*make)(const Run& run);
  std::vector<std::string_view> kwargs;
};

const std::array<Type, 9>& types() {
  static const std::array<Type, 9> all = {{
      {SchedulerType::kLinear, "linear", linear, {}},
      {SchedulerType::kCosine, "cosine", cosine, {"num_cycles"}},
      {SchedulerType::kCosineWithRestarts, "cosine_with_restarts", cosine_with_restarts, {"num_cycles"}},
      {SchedulerType::kPolynomial, "polynomial", polynomial, {"lr_end", "power"}},
      {SchedulerType::kConstant, "constant", constant, {}},
      {SchedulerType::kConstantWithWarmup, "constant_with_warmup", constant_with_warmup, {}},
      {SchedulerType::kInverseSqrt, "inverse_sqrt", inverse_sqrt, {"timescale"}},
      {SchedulerType::kCosineWithMinLr,
       "cosine_with_min_lr",
       cosine_with_min_lr,
       {"num_cycles", "min_lr", "min_lr_rate"}},
      {SchedulerType::kWarmupStableDecay,
       "warmup_stable_decay",
       warmup_stable_decay,
       {"num_stable_steps", "num_decay_steps", "min_lr_ratio", "num_cycles"}},
  }};
  return all;
}

}  // namespace

int64_t num_warmup_steps(const TrainingSpec& training, int64_t total_steps) {
  const double given = training.warmup_steps > 0 ? training.warmup_steps : training.warmup_ratio;
  const bool count = training.warmup_steps >= 1;
  return static_cast<int64_t>(count ? std::floor(given) : std::ceil(static_cast<double>(total_steps) * given));
}

Schedule make_schedule(const TrainingSpec& training, int64_t total_steps) {
  for (const Type& type : types()) {
    if (type.type != training.lr_scheduler_type) continue;
    for (const auto& [key, value] : training.lr_scheduler_kwargs) {
      if (std::find(type.kwargs.begin(), type.kwargs.end(), key) == type.kwargs.end()) {
        throw invalid_argument("lr_scheduler_kwargs: lr_scheduler_type {} has no '{}'{}", type.name, key,
                               did_you_mean(key, type.kwargs));
      }
      if (!std::isfinite(value)) throw invalid_argument("lr_scheduler_kwargs: {} is {}, must be a number", key, value);
    }
    return type.make({training.learning_rate, static_cast<double>(num_warmup_steps(training, total_steps)),
                      static_cast<double>(total_steps), training.lr_scheduler_kwargs});
  }
  throw internal_error("no schedule for this lr_scheduler_type");
}

}  // namespace hearth
