#include "models/adapters/adapter_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/models/adapters/tiny_adapters.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;

AdapterConfig parsed(const std::string& text) {
  const test::TemporaryDirectory directory;
  write_file_atomic(directory.path() / "adapter_config.json", text);
  return read_adapter_config(directory.path());
}

TEST(AdapterConfig, RefusesWhatIsNotImplementedByItsKey) {
  static constexpr std::pair<const char*, const char*> kCases[] = {
      {R"({"peft_type": "IA3"})", "peft_type is 'IA3'"},
      {R"({"bias": "all"})", "bias is 'all'"},
      {R"({"lora_bias": true})", "lora_bias is true"},
      {R"({"trainable_token_indices": [1]})", "trainable_token_indices is [1]"},
      {R"({"target_parameters": ["experts.down_proj"]})", "target_parameters is"},
      {R"({"layer_replication": [[0, 4], [2, 5]]})", "layer_replication is"},
      {R"({"loftq_config": {"loftq_bits": 4}})", "loftq_config is"},
      {R"({"corda_config": {}, "eva_config": {"rho": 2}})", "eva_config is"},
      {R"({"alora_invocation_tokens": [5]})", "alora_invocation_tokens is"},
      {R"({"use_qalora": true})", "use_qalora is true"},
      {R"({"ensure_weight_tying": true})", "ensure_weight_tying is true"},
      {R"({"of_tomorrow": 1})", "of_tomorrow is 1; hearth does not implement it"},
      {R"({"init_lora_weights": "olora"})", "init_lora_weights is \"olora\""},
      {R"({"init_lora_weights": "pissa_niter_x"})", "init_lora_weights is"},
      {R"({"r": 0})", "r is 0, must be an integer from 1"},
      {R"({"r": 70000})", "r is 70000"},
      {R"({"lora_alpha": "8"})", "lora_alpha is \"8\""},
      {R"({"lora_dropout": 1.5})", "lora_dropout is 1.5"},
      {R"({"target_modules": 3})", "target_modules is 3"},
      {R"({"target_modules": ["a", 3]})", "target_modules"},
      {R"({"rank_pattern": {"q": -1}})", "q is -1"},
      {R"([])", "expected an object"}};
  for (const auto& [text, expected] : kCases)
    EXPECT_THAT(test::refusal([&] { parsed(text); }), HasSubstr(expected)) << text;
}

TEST(AdapterConfig, KeysThatAskForNothingAreNoHindrance) {
  const AdapterConfig config = parsed(
      R"({"bias": null, "eva_config": null, "of_tomorrow": null, "loftq_config": {}, "runtime_config": {"x": 1},
          "init_lora_weights": "pissa_niter_16", "lora_alpha": 16.5, "layers_to_transform": 3})");
  EXPECT_EQ(config.pissa_iterations, 16);
  EXPECT_EQ(config.alpha, 16.5);
  EXPECT_EQ(config.layers_to_transform, std::vector<int64_t>{3});
  EXPECT_EQ(parsed(to_json(config)).pissa_iterations, 16);
}

// What peft's check_target_module_exists and get_pattern_key say.
TEST(AdapterRules, PickModulesAsPeftDoes) {
  struct Case {
    const char* config;
    const char* path;
    bool targeted;
  };
  static constexpr Case kCases[] = {
      {R"({"target_modules": ["q_proj"]})", "layers.0.q_proj", true},
      {R"({"target_modules": ["q_proj"]})", "layers.0.xq_proj", false},
      {R"({"target_modules": ["0.q_proj"]})", "layers.10.q_proj", false},
      {R"({"target_modules": "ALL-LINEAR"})", "anything", true},
      {R"({"target_modules": "q_proj"})", "layers.0.q_proj", false},
      {R"({"target_modules": ".*q_proj|x"})", "layers.0.q_proj", true},
      {R"({"target_modules": ".*q_"})", "layers.0.q_proj", false},
      {R"({"target_modules": ["q"], "exclude_modules": ["1.q"]})", "layers.1.q", false},
      {R"({"target_modules": ["q"], "exclude_modules": ["1.q"]})", "layers.0.q", true},
      {R"({"target_modules": ["q"], "exclude_modules": ".*0.*"})", "layers.0.q", false},
      {R"({"target_modules": ["q"], "modules_to_save": ["layers.0"]})", "model.layers.0.q", false},
      {R"({"target_modules": ["q"], "modules_to_save": ["ayers.0"]})", "model.layers.0.q", true},
      {R"({"target_modules": ["q"], "layers_to_transform": [1]})", "model.layers.1.experts.0.q", true},
      {R"({"target_modules": ["q"], "layers_to_transform": [0]})", "model.layers.1.experts.0.q", false},
      {R"({"target_modules": ["q"], "layers_to_transform": [0], "layers_pattern": "experts"})",
       "model.layers.1.experts.0.q", true},
      {R"({"target_modules": ["q"], "layers_to_transform": [0], "layers_pattern": ["h", "blocks"]})", "h.0.q", true},
      {R"({"target_modules": ["q"], "layers_to_transform": [0]})", "q", false},
      {R"({"target_modules": []})", "q", false}};
  for (const Case& one : kCases) {
    const AdapterConfig config = parsed(one.config);
    EXPECT_EQ(AdapterRules(config).targets(one.path), one.targeted) << one.config << " " << one.path;
  }
}

TEST(AdapterRules, TakeRanksAndScalesFromPatterns) {
  AdapterConfig config = parsed(
      R"({"r": 4, "lora_alpha": 8, "rank_pattern": {"1.q": 16, "^h": 2, "k|v": 3}, "alpha_pattern": {".*1.*": 32}})");
  const AdapterRules rules(config);
  EXPECT_EQ(rules.rank("h.1.q"), 16);
  EXPECT_EQ(rules.rank("h.11.q"), 4);
  EXPECT_EQ(rules.rank("h.0.v"), 3);
  EXPECT_EQ(rules.scale("h.0.q"), 2);
  EXPECT_EQ(rules.scale("h.1.q"), 2);
  config.use_rslora = true;
  EXPECT_EQ(AdapterRules(config).scale("h.1.q"), 8);
  config.rank_pattern = {{"(", 1}};
  EXPECT_THAT(test::refusal([&] { AdapterRules{config}; }), HasSubstr("regular expression"));
}

}  // namespace
}  // namespace hearth
