#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/model_config.h"
#include "models/registry.h"
#include "runtime/io/weight_source.h"

namespace hearth {
namespace {

TEST(DeepseekV3, LeavesOutOnlyTheLayersThatPredictFurtherTokens) {
  WeightSource source;
  for (const char* name :
       {"model.layers.1.a", "model.layers.2.eh_proj.weight", "model.layers.2.b", "model.layers.20.c"})
    source.put(name, {1}, {0});
  ModelConfig config;
  config.num_hidden_layers = 2;
  kDeepseekV3.arrange(source, config);
  EXPECT_THAT(source.names(), testing::ElementsAre("model.layers.1.a", "model.layers.20.c"));
}

}  // namespace
}  // namespace hearth
