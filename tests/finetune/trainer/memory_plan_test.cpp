#include "finetune/trainer/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "finetune/spec/load_train_spec.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "tests/models/tiny_models.h"

namespace hearth {
namespace {

using testing::HasSubstr;

class Plan : public testing::Test {
 protected:
  Plan() {
    test::make_directory(test::tiny_model("none"), directory_.path());
    spec_ =
        parse_train_spec("do_train: true\ndataset: none\nlora_rank: 2\nper_device_train_batch_size: 8\n", "job.yaml",
                         std::vector<std::string>{"model_name_or_path=" + directory_.path().string(),
                                                  "output_dir=" + (directory_.path() / "out").string()});
    loaded_ = load_model(directory_.path(), {.compute_dtype = ComputeDtype::kFloat32});
    trainable_ = make_trainable(spec_, loaded_);
  }
  MemoryPlan plan(int64_t tokens, int64_t available) {
    PictureFeatures pictures(loaded_, spec_.data.pixel_limits, 0);
    return plan_memory(spec_, *loaded_.model, *trainable_, tokens, available, pictures, nullptr);
  }

  test::TemporaryDirectory directory_;
  TrainSpec spec_;
  LoadedModel loaded_;
  std::unique_ptr<Trainable> trainable_;
};

constexpr int64_t kPlenty = int64_t{1} << 40;

TEST_F(Plan, GrowsWithTheBatch) {
  const MemoryPlan small = plan(1000, kPlenty), large = plan(2000, kPlenty);
  EXPECT_EQ(small.recomputed_layers, 0);
  EXPECT_NEAR(static_cast<double>(large.step) / static_cast<double>(small.step), 2, 0.3);
  EXPECT_THAT(large.describe(), HasSubstr("activations of 2000 tokens"));
}

TEST_F(Plan, LeavesNoGradients) {
  plan(300, kPlenty);
  for (const Parameter* parameter : trainable_->parameters())
    for (size_t i = 0; i < parameter->grad.size(); ++i) EXPECT_EQ(parameter->grad.data()[i], 0);
}

TEST_F(Plan, ComputesLayersAgainWhereTheyDoNotFit) {
  const int64_t tokens = 4'000'000;
  const MemoryPlan whole = plan(tokens, kPlenty);
  const MemoryPlan tight = plan(tokens, (whole.peak() + whole.resident) / 2 + (whole.step / 4));
  EXPECT_GT(tight.recomputed_layers, 0);
  EXPECT_LT(tight.step, whole.step);
  spec_.training.gradient_checkpointing = false;
  EXPECT_THROW(plan(tokens, (whole.peak() + whole.resident) / 2), Error);
}

TEST_F(Plan, SaysWhatWouldFit) {
  try {
    plan(64'000'000, resident_memory() + (int64_t{4} << 30));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kResourceExhausted);
    EXPECT_THAT(error.what(), HasSubstr("per_device_train_batch_size: "));
    EXPECT_THAT(error.what(), HasSubstr("would fit"));
  }
}

}  // namespace
}  // namespace hearth
