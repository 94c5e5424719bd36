// The table of the daemon's options: file, environment and command line set the same things, and the later one wins.
#include "server/serve_options.h"

#include <cstdlib>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::ElementsAre;

// Sets variables for as long as it lives.
class Environment {
 public:
  explicit Environment(std::map<std::string, std::string> variables) : variables_(std::move(variables)) {
    for (const auto& [name, value] : variables_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto& [name, value] : variables_) ::unsetenv(name.c_str());
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::map<std::string, std::string> variables_;
};

ServeConfig from_file(const std::string& text) {
  const test::TemporaryDirectory directory;
  write_file_atomic(directory.path() / "c.yaml", text);
  return load_serve_config(directory.path() / "c.yaml");
}

TEST(ServeOptions, EveryKeyFlagAndVariableIsThereOnce) {
  std::set<std::string> names;
  for (const ServeOption& option : serve_options()) {
    EXPECT_TRUE(names.insert(std::string(option.key)).second) << option.key;
    EXPECT_TRUE(names.insert(option.long_flag()).second) << option.flag;
    EXPECT_TRUE(names.insert(option.environment()).second) << option.flag;
    EXPECT_FALSE(option.help.empty() || option.argument.empty()) << option.key;
    if (option.is_list) continue;  // whose key is a plural
    EXPECT_EQ(option.environment().size(), option.key.size() + 7) << "HEARTH_ and the key";
  }
  EXPECT_EQ(serve_option("api_keys").environment(), "HEARTH_API_KEY");
}

TEST(ServeOptions, TheEnvironmentWinsOverTheFileAndTheCommandLineOverIt) {
  const Environment environment({{"HEARTH_PORT", "9001"},
                                 {"HEARTH_API_KEY", "a, b"},
                                 {"HEARTH_MODEL", "x=one,y=two"},
                                 {"HEARTH_HOST", ""},
                                 {"HEARTH_NONSENSE", "1"}});
  ServeConfig config = from_file("models: [z]\nport: 9000\nhost: ::1\napi_keys: c\nmax_running: 3\ndrain_timeout: 5\n");
  apply_environment(config);
  EXPECT_EQ(config.port, 9001);
  EXPECT_THAT(config.api_keys, ElementsAre("a", "b"));
  ASSERT_EQ(config.models.size(), 2u);
  EXPECT_EQ(config.models[1].id() + " " + config.models[1].reference, "y two");
  EXPECT_EQ(config.host, "::1") << "an empty variable says nothing";
  EXPECT_EQ(config.max_running, 3);
  EXPECT_EQ(config.drain_timeout, std::chrono::seconds(5));
  set_option(serve_option("port"), {"9002"}, "--port", config);
  set_option(serve_option("models"), {"m"}, "--model", config);
  EXPECT_EQ(config.port, 9002);
  ASSERT_EQ(config.models.size(), 1u);
}

TEST(ServeOptions, JobsRunWhereTheFileSays) {
  ServeConfig config = from_file("executor: slurm\nslurm_options: [--partition=cpu, --time=60]\nslurm_tasks: 2\n");
  EXPECT_TRUE(config.executor.uses_slurm);
  EXPECT_THAT(config.executor.slurm.options, ElementsAre("--partition=cpu", "--time=60"));
  EXPECT_EQ(config.executor.slurm.tasks, 2);
  EXPECT_NO_THROW(check_serve_config(config));
  set_option(serve_option("executor"), {"local"}, "--executor", config);
  set_option(serve_option("slurm_options"), {"cpu"}, "--slurm-option", config);
  EXPECT_FALSE(config.executor.uses_slurm);
  EXPECT_THROW(check_serve_config(config), Error);
  EXPECT_THROW(from_file("executor: pbs\n"), Error);
}

TEST(ServeOptions, ATemplateBesideTheFileIsEveryModels) {
  ServeConfig config = from_file("models: [{path: a, template: llama3}]\n");
  EXPECT_EQ(config.chat_of(config.models[0]).template_name, "llama3");
  set_option(serve_option("template"), {"qwen"}, "--template", config);
  EXPECT_EQ(config.chat_of(config.models[0]).template_name, "qwen");
  set_option(serve_option("enable_thinking"), {"null"}, "--enable-thinking", config);
  EXPECT_EQ(config.chat.options.enable_thinking, std::nullopt);
}

TEST(ServeOptions, MistakesNameTheirPlace) {
  const auto error = [](std::map<std::string, std::string> variables) -> std::string {
    const Environment environment(std::move(variables));
    ServeConfig config;
    try {
      apply_environment(config);
    } catch (const Error& thrown) {
      return thrown.what();
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(error({{"HEARTH_PORT", "65536"}}), "HEARTH_PORT: 'port' is 65536, must be from 0 to 65535");
  EXPECT_EQ(error({{"HEARTH_CACHE_TOKENS", "1k"}}),
            "HEARTH_CACHE_TOKENS: 'cache_tokens' must be a whole number, found '1k'");
  EXPECT_EQ(error({{"HEARTH_PORT", "tcp://10.0.0.1:80"}}), "nothing was thrown") << "Kubernetes' own variable";
}

TEST(ServeOptions, TheApiCommandsModelsAreItsYamls) {
  const Environment environment(
      {{"HEARTH_MODEL", "x=one"}, {"HEARTH_PORT", "9001"}, {"HEARTH_HOST", "::1"}, {"API_PORT", "9002"}});
  ServeConfig config;
  config.models = {{"a", ""}};
  apply_api_environment(config);
  EXPECT_EQ(config.models[0].reference, "a");
  EXPECT_EQ(config.host, "::1");
  EXPECT_EQ(config.port, 9002) << "LLaMA-Factory's own variable wins";
}

}  // namespace
}  // namespace hearth
