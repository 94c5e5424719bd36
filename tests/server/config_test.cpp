#include "server/config.h"

#include <algorithm>
#include <cstdlib>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/nearest_name.h"
#include "server/serve_options.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "hearth.XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  void TearDown() override {
    for (const char* name :
         {"API_HOST", "API_PORT", "API_KEY", "API_MODEL_NAME", "API_CORS_ORIGINS", "ALLOW_EXTRA_ARGS"})
      ::unsetenv(name);
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path file(const std::string& text) {
    write_file_atomic(folder_ / "c.yaml", text);
    return folder_ / "c.yaml";
  }
  // The message of what `action` throws, without the folder's name.
  std::string error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      std::string message = error.what();
      if (const size_t at = message.find(folder_.string()); at != std::string::npos)
        message.erase(at, folder_.string().size() + 1);
      return message;
    }
    return "nothing was thrown";
  }
  std::string serve_error(const std::string& text) {
    return error_of([&] { load_serve_config(file(text)); });
  }
  std::string inference_error(const std::string& text, std::vector<std::string> overrides = {}) {
    return error_of([&] { load_inference_config(file(text), overrides); });
  }

  std::filesystem::path folder_;
};

TEST_F(ConfigTest, ServeFileSetsEveryOption) {
  const ServeConfig config = load_serve_config(file(R"(
models:
  - base=./smollm2.gguf
  - {name: other, path: /models/tiny}
  - org/name
host: 0.0.0.0
port: 9000
api_keys: [one, two]
cors_origins: "*"
infer_dtype: float32
cache_tokens: 4096
max_running: 8
max_queued: 16
model_memory: 8GiB
load_timeout: 90
)"));
  ASSERT_EQ(config.models.size(), 3u);
  EXPECT_EQ(config.models[0].name + " " + config.models[0].reference, "base ./smollm2.gguf");
  EXPECT_EQ(config.models[1].name + " " + config.models[1].reference, "other /models/tiny");
  EXPECT_EQ(config.models[2].name + " " + config.models[2].reference, " org/name");
  EXPECT_EQ(config.host, "0.0.0.0");
  EXPECT_EQ(config.port, 9000);
  EXPECT_THAT(config.api_keys, ElementsAre("one", "two"));
  EXPECT_THAT(config.cors_origins, ElementsAre("*"));
  EXPECT_EQ(config.infer_dtype, ComputeDtype::kFloat32);
  EXPECT_EQ(config.cache_tokens, 4096);
  EXPECT_EQ(config.max_running, 8);
  EXPECT_EQ(config.max_queued, 16);
  EXPECT_EQ(config.model_memory, int64_t{8} << 30);
  EXPECT_EQ(config.load_timeout, std::chrono::seconds(90));
}

TEST_F(ConfigTest, EmptyFileIsTheDefaults) {
  EXPECT_EQ(load_serve_config(file("")).port, 8000);
  EXPECT_EQ(load_serve_config(file("# nothing\nport:\n")).host, "127.0.0.1");
}

TEST_F(ConfigTest, MistakesNameFileLineAndRemedy) {
  EXPECT_EQ(serve_error("host: ::1\nprot: 1\n"), "c.yaml:2: unknown key 'prot' (did you mean 'port'?)");
  EXPECT_EQ(serve_error("zzzzzz: 1\n"), "c.yaml:1: unknown key 'zzzzzz'");
  EXPECT_EQ(serve_error("port: 1\nport: 2\n"), "c.yaml:2: 'port' is given twice");
  EXPECT_EQ(serve_error("port: 8k\n"), "c.yaml:1: 'port' must be a whole number, found '8k'");
  EXPECT_EQ(serve_error("\nport: 65536\n"), "c.yaml:2: 'port' is 65536, must be from 0 to 65535");
  EXPECT_EQ(serve_error("host: [a]\n"), "c.yaml:1: 'host' must be a text, found a list");
  EXPECT_EQ(serve_error("api_keys: {a: b}\n"),
            "c.yaml:1: 'api_keys' must be a text or a list of texts, found a mapping");
  EXPECT_EQ(serve_error("- a\n"), "c.yaml: must be a mapping (key: value), found a list");
  EXPECT_THAT(serve_error("host: [a\n"), HasSubstr("not YAML"));
  EXPECT_EQ(serve_error("infer_dtype: int8\n"), "infer_dtype is 'int8', must be auto (fast) or float32 (exact)");
  EXPECT_THAT(serve_error("model_name_or_path: a/b\n"), HasSubstr("start it with `hearth api"));
  EXPECT_THAT(serve_error("models: [{pth: a}]\n"), HasSubstr("found 'pth'"));
  EXPECT_THAT(serve_error("model_memory: 8 G\n"), HasSubstr("c.yaml:1: model_memory: '8 G' is no amount of memory"));
  EXPECT_EQ(serve_error("load_timeout: 0\n"), "c.yaml:1: 'load_timeout' is 0, must be from 1 to 3600");
}

TEST_F(ConfigTest, InferenceFileOfLlamaFactory) {
  const InferenceConfig config = load_inference_config(file(R"(
model_name_or_path: org/name
model_revision: v2
infer_backend: huggingface
infer_dtype: float32
trust_remote_code: true
do_sample: true
temperature: 0.5
top_k: 10
max_new_tokens: 64
output_dir: saves/x
learning_rate: 1.0e-4
)"));
  ASSERT_EQ(config.serve.models.size(), 1u);
  EXPECT_EQ(config.serve.models[0].reference, "org/name@v2");
  EXPECT_EQ(config.serve.infer_dtype, ComputeDtype::kFloat32);
  EXPECT_EQ(config.serve.generation.temperature, 0.5f);
  EXPECT_EQ(config.serve.generation.top_k, 10);
  EXPECT_EQ(config.serve.default_max_tokens, 64);
  ASSERT_EQ(config.warnings.size(), 1u);
  EXPECT_THAT(config.warnings[0], HasSubstr("without effect on a CPU: infer_backend"));
}

TEST_F(ConfigTest, OverridesWinOverTheFile) {
  const std::vector<std::string> overrides = {"model_name_or_path=b", "do_sample=false", "template=null"};
  const InferenceConfig config = load_inference_config(file("model_name_or_path: a\ntemplate: llama3\n"), overrides);
  ASSERT_EQ(config.serve.models.size(), 1u);
  EXPECT_EQ(config.serve.models[0].reference, "b");
  EXPECT_EQ(config.serve.generation.temperature, 0.0f);
  EXPECT_EQ(config.serve.chat.template_name, "");
}

TEST_F(ConfigTest, TheTemplateAndWhatChangesIt) {
  const InferenceConfig config = load_inference_config(file(R"(
model_name_or_path: a
template: qwen3
default_system: Be brief.
tool_format: mistral
enable_thinking: null
preserve_thinking: true
)"));
  const ChatOptions& chat = config.serve.chat;
  EXPECT_EQ(chat.template_name, "qwen3");
  EXPECT_EQ(chat.options.default_system, "Be brief.");
  EXPECT_EQ(chat.options.tool_format, ToolFormat::kMistralTools);
  EXPECT_EQ(chat.options.enable_thinking, std::nullopt);
  EXPECT_TRUE(chat.options.preserve_thinking);
  EXPECT_EQ(load_inference_config(file("model_name_or_path: a\n")).serve.chat.options.enable_thinking, true);

  EXPECT_EQ(inference_error("template: qwenn3\n"),
            "c.yaml:1: no template 'qwenn3' (did you mean 'qwen3'?); `hearth templates` lists them");
  EXPECT_THAT(inference_error("tool_format: mistrall\n"), HasSubstr("(did you mean 'mistral'?); there are default"));
  EXPECT_THAT(inference_error("enable_thinking: 3\n"), HasSubstr("enable_thinking"));
}

TEST_F(ConfigTest, EveryServedModelMayHaveItsTemplate) {
  const ServeConfig config =
      load_serve_config(file("models: [a, {path: b, template: llama3}]\ntemplate: qwen\nenable_thinking: false\n"));
  EXPECT_EQ(config.chat_of(config.models[0]).template_name, "qwen");
  EXPECT_EQ(config.chat_of(config.models[1]).template_name, "llama3");
  EXPECT_EQ(config.chat_of(config.models[1]).options.enable_thinking, false);
  EXPECT_THAT(serve_error("models: [{path: b, template: llama33}]\n"), HasSubstr("did you mean 'llama3'"));

  ServeConfig without;
  without.models = {{"a", ""}};
  without.chat.options.tool_format = ToolFormat::kQwenTools;
  EXPECT_THAT(error_of([&] { check_serve_config(without); }), HasSubstr("'tool_format' changes a named template"));
  without.models[0].template_name = "yi";
  check_serve_config(without);
}

TEST_F(ConfigTest, AdaptersHaveANameAModelAndADirectory) {
  struct Case {
    const char* text;
    const char *name, *path, *model;
  };
  for (const Case& one : {Case{"a=saves/x", "a", "saves/x", ""}, Case{"m:a=saves/x", "a", "saves/x", "m"},
                          Case{"qwen3:0.6b:a=x", "a", "x", "qwen3:0.6b"}, Case{"saves/x/", "x", "saves/x", ""}}) {
    const AdapterSpec spec = parse_adapter_spec(one.text);
    EXPECT_EQ(spec.name, one.name) << one.text;
    EXPECT_EQ(spec.path, one.path) << one.text;
    EXPECT_EQ(spec.model, one.model) << one.text;
  }
  for (const char* text : {"=x", "a=", ":a=x", "m:=x"})
    EXPECT_THAT(error_of([&] { parse_adapter_spec(text); }), HasSubstr("must be NAME=DIR, MODEL:NAME=DIR or DIR"));
  const ServeConfig config = load_serve_config(file(
      "models: [m=a, n=b]\nadapters:\n- m:x=saves/x\n- {path: saves/y, model: n}\n- {path: z, name: w, model: n}\n"));
  check_serve_config(config);
  ASSERT_EQ(config.adapters_of("m").size(), 1u);
  EXPECT_EQ(config.adapters_of("m")[0].name, "x");
  ASSERT_EQ(config.adapters_of("n").size(), 2u);
  EXPECT_EQ(config.adapters_of("n")[0].name, "y");
  EXPECT_EQ(config.adapters_of("n")[1].path, "z");
  EXPECT_EQ(serve_error("adapters: [{name: x}]\n"), "c.yaml:1: an adapter lacks 'path'");
  EXPECT_THAT(serve_error("adapters: [{dir: x}]\n"), HasSubstr("found 'dir'"));
}

TEST_F(ConfigTest, AdaptersNamesAreDistinctAndTheirModelsServed) {
  const auto error = [&](const std::string& text) {
    return error_of([&] { check_serve_config(load_serve_config(file(text))); });
  };
  EXPECT_EQ(error("adapters: [a=x, b=y]\n"), "nothing was thrown");  // of the default model
  EXPECT_EQ(error("models: [m=a, n=b]\nadapters: [x=y]\n"),
            "adapter 'x': there are 2 models; say for which: MODEL:x=y");
  EXPECT_EQ(error("models: [mine=a]\nadapters: ['mind:x=y']\n"),
            "adapter 'x' is for 'mind', which is not served (did you mean 'mine'?); there is 'mine'");
  EXPECT_THAT(error("models: [m=a]\nadapters: [m=x]\n"), HasSubstr("something else is served as 'm'"));
  EXPECT_THAT(error("models: [m=a]\nadapters: [x=y, x=z]\n"), HasSubstr("something else is served as 'x'"));
  EXPECT_THAT(error("models: ['q:s=a', q=b]\nadapters: ['q:s=y']\n"), HasSubstr("something else is served as 'q:s'"));
}

TEST_F(ConfigTest, ReadsAdaptersOfAnInferenceYaml) {
  const auto adapters = [&](const std::string& text) {
    return load_inference_config(file("model_name_or_path: a\n" + text)).serve.models[0].adapter_name_or_path;
  };
  EXPECT_THAT(adapters("adapter_name_or_path: saves/x\n"), ElementsAre("saves/x"));
  EXPECT_THAT(adapters("adapter_name_or_path: saves/x, saves/y\n"), ElementsAre("saves/x", "saves/y"));
  EXPECT_THAT(adapters("adapter_name_or_path: [saves/x, saves/y]\n"), ElementsAre("saves/x", "saves/y"));
  EXPECT_THAT(adapters("adapter_name_or_path:\n"), ElementsAre());
}

TEST_F(ConfigTest, WhatWouldChangeTheAnswersIsNeverIgnored) {
  EXPECT_THAT(inference_error("quantization_bit: 4\n"), HasSubstr("not supported"));
  EXPECT_EQ(inference_error("stage: mr\n"),
            "c.yaml:1: 'stage' is 'mr' (did you mean 'rm'?), must be one of sft, pt, rm, ppo, dpo, kto");
  EXPECT_THAT(inference_error("new_special_tokens_config: {a: b}\n"), HasSubstr("not supported"));
  load_inference_config(
      file("model_name_or_path: a\nadapter_name_or_path:\nrope_scaling: none\nnum_beams: 1\nstage: sft\n"));
}

TEST_F(ConfigTest, StageRmIsARewardModel) {
  const auto is_reward_model = [&](const std::string& text) {
    return load_inference_config(file("model_name_or_path: a\n" + text)).serve.models[0].is_reward_model;
  };
  EXPECT_TRUE(is_reward_model("stage: rm\n"));
  for (const char* text : {"", "stage: sft\n", "stage: dpo\n", "stage:\n"}) EXPECT_FALSE(is_reward_model(text)) << text;
}

TEST_F(ConfigTest, UnknownInferenceKeysAreErrorsUnlessAllowed) {
  EXPECT_EQ(inference_error("model_name_or_pth: a\n"),
            "c.yaml:1: unknown key 'model_name_or_pth' (did you mean 'model_name_or_path'?); ALLOW_EXTRA_ARGS=1 lets "
            "it pass");
  EXPECT_EQ(inference_error("model_name_or_path: a\n", {"tmperature=1"}),
            "argument 'tmperature=1': unknown key 'tmperature' (did you mean 'temperature'?); ALLOW_EXTRA_ARGS=1 lets "
            "it pass");
  EXPECT_THAT(inference_error("model_name_or_path: a\n", {"novalue"}), HasSubstr("must have the form key=value"));
  EXPECT_EQ(inference_error("infer_dtype: auto\n"), "c.yaml: lacks 'model_name_or_path'");
  ::setenv("ALLOW_EXTRA_ARGS", "1", 1);
  EXPECT_EQ(load_inference_config(file("model_name_or_path: a\nodd: 1\n")).warnings.size(), 1u);
}

TEST_F(ConfigTest, EnvironmentOfTheApiCommand) {
  ServeConfig config;
  config.models = {{"a.gguf", ""}};
  ::setenv("API_HOST", "0.0.0.0", 1);
  ::setenv("API_PORT", "8123", 1);
  ::setenv("API_KEY", "k", 1);
  ::setenv("API_MODEL_NAME", "gpt", 1);
  ::setenv("API_CORS_ORIGINS", "http://a, http://b", 1);
  apply_api_environment(config);
  EXPECT_EQ(config.host + " " + std::to_string(config.port), "0.0.0.0 8123");
  EXPECT_THAT(config.api_keys, ElementsAre("k"));
  EXPECT_EQ(config.models[0].name, "gpt");
  EXPECT_THAT(config.cors_origins, ElementsAre("http://a", "http://b"));
  ::setenv("API_PORT", "80a", 1);
  EXPECT_EQ(error_of([&] { apply_api_environment(config); }), "API_PORT: 'port' must be a whole number, found '80a'");
}

TEST_F(ConfigTest, NetworkWithoutAKeyIsRefused) {
  EXPECT_THAT(error_of([&] { check_exposure("0.0.0.0", false); }), HasSubstr("there is no API key"));
  check_exposure("0.0.0.0", true);
  check_exposure("127.0.0.1", false);
  ServeConfig config;
  config.api_keys = {"two words"};
  EXPECT_THAT(error_of([&] { check_serve_config(config); }), HasSubstr("an API key is empty or has spaces"));
  for (const char* host : {"127.0.0.1", "127.8.9.1", "::1", "localhost"}) EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "128.0.0.1"})
    EXPECT_FALSE(is_loopback(host)) << host;
}

TEST_F(ConfigTest, TwoModelsOfOneNameAreRefused) {
  ServeConfig config;
  config.models = {{"/a/tiny.gguf", ""}, {"/b/tiny", ""}};
  EXPECT_EQ(error_of([&] { check_serve_config(config); }), "two models are named 'tiny': rename one with NAME=PATH");
  config.models[1].name = "other";
  check_serve_config(config);
}

TEST_F(ConfigTest, ModelArguments) {
  EXPECT_EQ(parse_model_spec("a=b").name, "a");
  EXPECT_EQ(parse_model_spec("a=b").reference, "b");
  EXPECT_EQ(parse_model_spec("org/name").reference, "org/name");
  write_file_atomic(folder_ / "x=y.gguf", "");
  EXPECT_EQ(parse_model_spec((folder_ / "x=y.gguf").string()).name, "");
  EXPECT_THAT(error_of([] { parse_model_spec("=b"); }), HasSubstr("PATH_OR_NAME or NAME=PATH"));
}

TEST(NearestName, FindsSlipsAndBeginningsOnly) {
  const std::vector<std::string> known = {"serve", "chat", "models", "pull"};
  EXPECT_EQ(nearest_name("sevre", known), "serve");
  EXPECT_EQ(nearest_name("cht", known), "chat");
  EXPECT_EQ(nearest_name("mod", known), "models");
  EXPECT_EQ(nearest_name("x", known), "");
  EXPECT_EQ(nearest_name("training", known), "");
}

}  // namespace
}  // namespace hearth
