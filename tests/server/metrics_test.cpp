// What a refused request is told of when to come back.
#include "server/metrics.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

TEST(Metrics, RetryAfterIsTheQueuesLengthInAnswersOfLate) {
  Metrics metrics;
  ModelMetrics& model = metrics.model("m");
  const EngineStats busy{.running = 2, .queued = 3};
  EXPECT_EQ(model.retry_after_seconds(busy, 2), 1) << "nothing is known yet";
  model.finished("stop", /*since_request=*/10, /*queued=*/6);
  EXPECT_EQ(model.retry_after_seconds(busy, 2), 8) << "four behind two at a time, 4 s each";
  EXPECT_EQ(model.retry_after_seconds({.running = 1, .queued = 0}, 8), 4);
  model.finished("stop", 14, 0);
  EXPECT_EQ(model.retry_after_seconds({.running = 1, .queued = 0}, 8), 5) << "a mean that follows slowly";
  EXPECT_EQ(model.retry_after_seconds({.running = 1, .queued = 256}, 1), 120) << "clients give up when told more";
}

}  // namespace
}  // namespace hearth
