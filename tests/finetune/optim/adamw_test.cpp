#include "finetune/optim/adamw.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/optim/clip.h"
#include "finetune/optim/schedule.h"
#include "runtime/base/error.h"
#include "tests/finetune/optim/golden.h"
#include "tests/support/random_tensor.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Throws;

constexpr double kRelative = 1e-6;  // of the largest value of a tensor: a few roundings of f32 in another order

Shape shape_of(const nlohmann::json& dims) {
  return dims.size() == 1 ? Shape{dims[0].get<int64_t>()} : Shape{dims[0].get<int64_t>(), dims[1].get<int64_t>()};
}

// Parameters that own themselves, and pointers to them.
struct Parameters {
  std::vector<std::unique_ptr<Parameter>> owned;
  std::vector<Parameter*> all;
  Parameter& add(const std::string& name, const Shape& shape) {
    owned.push_back(std::make_unique<Parameter>(Parameter{name, random_tensor(shape, owned.size()), {}}));
    all.push_back(owned.back().get());
    return *all.back();
  }
};

class Floats {
 public:
  void read(Tensor& t) {
    std::copy_n(values_.begin() + static_cast<int64_t>(at_), t.size(), t.data());
    at_ += t.size();
  }
  float next() { return values_[at_++]; }
  void expect(const Tensor& t, const std::string& what) {
    double largest = 0, worst = 0;
    for (size_t i = 0; i < t.size(); ++i) {
      largest = std::max<double>(largest, std::abs(values_[at_ + i]));
      worst = std::max<double>(worst, std::abs(values_[at_ + i] - t.data()[i]));
    }
    EXPECT_LE(worst, kRelative * largest) << what;
    at_ += t.size();
  }
  bool done() const { return at_ == values_.size(); }

 private:
  std::vector<float> values_ = optim_floats();
  size_t at_ = 0;
};

TEST(AdamW, TwentyStepsWithClippingAndScheduleAreTorchs) {
  const nlohmann::json job = optim_cases()["adamw"];
  Floats golden;
  Parameters parameters;
  std::vector<ParameterGroup> groups;
  for (size_t i = 0; i < job["shapes"].size(); ++i) {
    Parameter& p = parameters.add("p" + std::to_string(i), shape_of(job["shapes"][i]));
    golden.read(p.value);
    p.grad = Tensor::zeros(p.value.shape());
    groups.push_back({{&p}, job["rates"][i], job["decays"][i]});
  }
  TrainingSpec training;
  training.warmup_steps = job["warmup"];
  const Schedule schedule = make_schedule(training, job["steps"]);
  std::optional<AdamW> optimizer(std::in_place, groups, AdamWOptions{0.9, 0.99, 1e-6});
  for (int64_t step = 0; step < job["steps"]; ++step) {
    for (Parameter* p : parameters.all) golden.read(p->grad);
    const double norm = clip_grad_norm(parameters.all, job["max_norm"]);
    EXPECT_NEAR(norm / golden.next(), 1, kRelative) << "step " << step;
    if (step == 11) {  // as if resumed
      const AdamWState saved = optimizer->state();
      optimizer.emplace(groups, AdamWOptions{0.9, 0.99, 1e-6});
      optimizer->restore(saved);
    }
    optimizer->step(schedule(step));
    for (Parameter* p : parameters.all) golden.expect(p->value, p->name + " after step " + std::to_string(step));
  }
  for (const AdamWState::Moments& m : optimizer->state().moments) {
    golden.expect(m.first, m.parameter + " first moment");
    golden.expect(m.second, m.parameter + " second moment");
  }
  EXPECT_TRUE(golden.done());
}

TEST(AdamW, LeavesParametersWithoutAGradientAlone) {
  Parameters parameters;
  const float before = parameters.add("p", {3}).value.data()[0];
  AdamW optimizer({{parameters.all, 0.1, 0.1}}, {});
  optimizer.step(1);
  EXPECT_EQ(parameters.all[0]->value.data()[0], before);
}

TEST(AdamW, RefusesTheStateOfAnotherRun) {
  Parameters parameters;
  parameters.add("a", {3});
  parameters.add("b", {2, 2});
  AdamW optimizer({{parameters.all, 0.1, 0}}, {});
  const auto refusal = [&](auto change) {
    AdamWState state = optimizer.state();
    change(state);
    try {
      optimizer.restore(state);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kDataCorruption);
      return std::string(e.what());
    }
    return std::string("none");
  };
  EXPECT_EQ(refusal([](AdamWState&) {}), "none");
  EXPECT_THAT(refusal([](AdamWState& s) { s.moments[1].parameter = "c"; }), HasSubstr("'b' is missing"));
  EXPECT_THAT(refusal([](AdamWState& s) { s.moments[1].second = Tensor::zeros({4}); }), HasSubstr("'b' is [4]"));
  EXPECT_THAT(refusal([](AdamWState& s) { s.moments.push_back({"c", {}, {}}); }), HasSubstr("3 parameters"));
  EXPECT_THAT(refusal([](AdamWState& s) { s.steps = -1; }), HasSubstr("-1 steps"));
}

TEST(ParameterGroups, NormsAndBiasesDoNotDecay) {
  for (const char* name : {"model.layers.0.self_attn.q_proj.weight", "model.embed_tokens.weight",
                           "model.layers.0.self_attn.q_proj.lora_A.weight", "transformer.h.0.mlp.c_fc.weight",
                           "layers.0.lora_magnitude_vector.weight", "model.normal.weight"})
    EXPECT_TRUE(decays(name)) << name;
  for (const char* name :
       {"model.layers.0.input_layernorm.weight", "model.norm.weight", "model.layers.0.self_attn.q_norm.weight",
        "model.layers.0.self_attn.q_proj.bias", "transformer.h.0.ln_1.weight", "transformer.ln_f.weight",
        "transformer.blocks.0.norm_1.weight", "model.final_LayerNorm.weight", "h.0.attention_norm.weight"})
    EXPECT_FALSE(decays(name)) << name;
}

TEST(ParameterGroups, LoraPlusHasItsOwnRates) {
  Parameters p;
  Parameter& a = p.add("q_proj.lora_A.weight", {2, 8});
  Parameter& b = p.add("q_proj.lora_B.weight", {8, 2});
  Parameter& norm = p.add("input_layernorm.weight", {8});
  Parameter& embedding = p.add("embed_tokens.lora_embedding_B", {8, 2});
  const auto plain = parameter_groups(p.all, 1e-3, 0.1, std::nullopt);
  ASSERT_EQ(plain.size(), 2u);
  EXPECT_THAT(plain[0].parameters, ElementsAre(&a, &b, &embedding));
  EXPECT_THAT(plain[1].parameters, ElementsAre(&norm));
  EXPECT_EQ(plain[1].weight_decay, 0);
  const auto plus = parameter_groups(p.all, 1e-3, 0.1, LoraPlus{16, 1e-6});
  std::vector<std::pair<double, double>> rates;
  rates.reserve(plus.size());
  for (const ParameterGroup& g : plus) rates.emplace_back(g.learning_rate, g.weight_decay);
  EXPECT_THAT(rates,
              ElementsAre(std::pair(1e-3, 0.1), std::pair(16e-3, 0.1), std::pair(16e-3, 0.0), std::pair(1e-6, 0.1)));
}

TEST(ClipGradNorm, ReturnsWhatIsNotFiniteAndLeavesTheGradients) {
  Parameters p;
  p.add("without", {2});
  Parameter& with = p.add("with", {2});
  with.grad = Tensor::from({2}, {3, 4});
  EXPECT_DOUBLE_EQ(clip_grad_norm(p.all, 0), 5);
  EXPECT_EQ(with.grad.data()[1], 4);
  EXPECT_DOUBLE_EQ(clip_grad_norm(p.all, 2.5), 5);
  EXPECT_NEAR(with.grad.data()[1], 2, 1e-6);
  with.grad.data()[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(clip_grad_norm(p.all, 0.1)));
  EXPECT_NEAR(with.grad.data()[1], 2, 1e-6);
  zero_gradients(p.all);
  EXPECT_EQ(clip_grad_norm(p.all, 1), 0);
}

}  // namespace
}  // namespace hearth
