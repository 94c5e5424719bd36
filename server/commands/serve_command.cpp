#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "finetune/spec/chat_keys.h"
#include "models/adapters/adapter_config.h"
#include "models/adapters/value_head.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "server/app.h"
#include "server/commands/commands.h"
#include "server/config.h"

namespace hearth {
namespace {

void require_value_head(const std::filesystem::path& directory) {
  if (!has_value_head(directory))
    throw invalid_argument(
        "stage: rm serves a reward model, but {} has no value_head.safetensors: name what a run "
        "with stage: rm wrote",
        directory.string());
}

int run_serve(const ServeConfig& config) {
  AppOptions options;
  for (const ModelSpec& spec : config.models)
    options.models.push_back({spec.id(),
                              resolve_model(spec.reference),
                              config.chat_of(spec),
                              {spec.adapter_name_or_path.begin(), spec.adapter_name_or_path.end()}});
  if (options.models.empty())
    options.models.push_back({std::string(kDefaultModel), resolve_default_model(), config.chat});
  for (size_t i = 0; i < config.models.size(); ++i)
    if (config.models[i].is_reward_model)
      require_value_head(value_head_place(options.models[i].path, options.models[i].applied));
  for (AppOptions::Model& model : options.models)
    for (const AdapterSpec& adapter : config.adapters_of(model.id))
      model.adapters.push_back({adapter.name, adapter.path});
  // A wrong directory is told before a model is loaded.
  for (const AppOptions::Model& model : options.models) {
    for (const std::filesystem::path& adapter : model.applied) read_adapter_config(adapter);
    for (const AppOptions::Adapter& adapter : model.adapters) read_adapter_config(adapter.path);
  }
  options.host = config.host;
  options.port = config.port;
  options.api_keys = config.api_keys;
  options.cors_origins = config.cors_origins;
  options.engine.cache_tokens = config.cache_tokens;
  options.engine.max_running = config.max_running;
  options.engine.max_queued = config.max_queued;
  options.compute_dtype = config.infer_dtype;
  options.generation = config.generation;
  options.default_max_tokens = config.default_max_tokens;
  App(std::move(options)).run();
  return 0;
}

// The command line's options, each of which wins over the file when it is given.
struct ServeArguments {
  std::string config, host, infer_dtype, template_name;
  std::vector<std::string> models, adapters, api_keys, cors_origins;
  int port = 0, cache_tokens = 0, max_running = 0, max_queued = 0;
};

ServeConfig configuration(const ServeArguments& arguments, const CLI::App& app) {
  ServeConfig config = arguments.config.empty() ? ServeConfig{} : load_serve_config(arguments.config);
  const auto given = [&](const char* option) { return app.count(option) > 0; };
  if (given("--model")) {
    config.models.clear();
    for (const std::string& model : arguments.models) config.models.push_back(parse_model_spec(model));
  }
  if (given("--adapter")) {
    config.adapters.clear();
    for (const std::string& adapter : arguments.adapters) config.adapters.push_back(parse_adapter_spec(adapter));
  }
  if (given("--host")) config.host = arguments.host;
  if (given("--port")) config.port = arguments.port;
  if (const char* key = std::getenv("HEARTH_API_KEY"); key && *key && config.api_keys.empty()) config.api_keys = {key};
  if (given("--api-key")) config.api_keys = arguments.api_keys;
  if (given("--cors-origin")) config.cors_origins = arguments.cors_origins;
  if (given("--infer-dtype")) config.infer_dtype = parse_infer_dtype(arguments.infer_dtype);
  if (given("--template")) {
    check_template_name(arguments.template_name, "--template");
    config.chat.template_name = arguments.template_name;
    for (ModelSpec& model : config.models) model.template_name.clear();
  }
  if (given("--cache-tokens")) config.cache_tokens = arguments.cache_tokens;
  if (given("--max-running")) config.max_running = arguments.max_running;
  if (given("--max-queued")) config.max_queued = arguments.max_queued;
  check_serve_config(config);
  return config;
}

}  // namespace

Prepare add_serve(CLI::App& app) {
  auto arguments = std::make_shared<ServeArguments>();
  app.add_option("CONFIG", arguments->config, "YAML with these options as keys: models, host, port, api_keys, ...");
  app.add_option("--model,-m", arguments->models, "PATH_OR_NAME or NAME=PATH, repeatable (default: the default model)")
      ->allow_extra_args(false);
  app.add_option("--adapter,-a", arguments->adapters,
                 "NAME=DIR of a LoRA adapter in peft's format, MODEL:NAME=DIR with several models, repeatable; answers "
                 "as NAME and MODEL:NAME, beside the model")
      ->allow_extra_args(false);
  app.add_option("--host", arguments->host, "Address to listen on (default 127.0.0.1; others need an API key)");
  app.add_option("--port,-p", arguments->port, "Port (default 8000; 0: any that is free)");
  app.add_option("--api-key", arguments->api_keys, "Key that clients must send, repeatable (default: HEARTH_API_KEY)")
      ->allow_extra_args(false);
  app.add_option("--cors-origin", arguments->cors_origins,
                 "Web page that may call the API, or *, repeatable (default: none)")
      ->allow_extra_args(false);
  app.add_option("--infer-dtype", arguments->infer_dtype, "auto (fast, the default) or float32 (exact)");
  app.add_option("--template", arguments->template_name,
                 "One of LLaMA-Factory's templates for every model (default: each checkpoint's own)");
  app.add_option("--cache-tokens", arguments->cache_tokens, "Tokens that a model's KV cache holds (default 8192)");
  app.add_option("--max-running", arguments->max_running, "Sequences that run at once (default 64)");
  app.add_option("--max-queued", arguments->max_queued, "Requests that may wait; one more gets 503 (default 256)");
  app.footer(
      "Examples:\n"
      "  hearth serve\n"
      "  hearth serve --model ./smollm2.gguf --port 9000\n"
      "  hearth serve --model ./merged --template llama3\n"
      "  hearth serve --model small=org/name --adapter tuned=./saves/lora\n"
      "  hearth serve --model small=org/name --model exact=./other --infer-dtype float32\n"
      "  hearth serve serve.yaml --host 0.0.0.0 --api-key \"$KEY\"\n\n"
      "  curl http://127.0.0.1:8000/v1/chat/completions -H 'Content-Type: application/json' \\\n"
      "    -d '{\"model\": \"small\", \"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}'");
  return [arguments, &app]() -> Run {
    const ServeConfig config = configuration(*arguments, app);
    return [config] { return run_serve(config); };
  };
}

Prepare add_api(CLI::App& app) {
  struct Arguments {
    std::string config;
    std::vector<std::string> overrides;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("CONFIG", arguments->config, "LLaMA-Factory's inference or training YAML")->required();
  app.add_option("KEY=VALUE", arguments->overrides, "Overrides of the YAML");
  app.footer(
      "Examples:\n"
      "  hearth api llama3.yaml\n"
      "  API_PORT=9000 API_KEY=secret hearth api llama3.yaml infer_dtype=float32\n\n"
      "Environment: API_HOST, API_PORT, API_KEY, API_MODEL_NAME, API_CORS_ORIGINS (comma-separated), "
      "ALLOW_EXTRA_ARGS.");
  return [arguments]() -> Run {
    InferenceConfig config = load_inference_config(arguments->config, arguments->overrides);
    for (const std::string& warning : config.warnings) log::warn("{}", warning);
    apply_api_environment(config.serve);
    check_serve_config(config.serve);
    return [serve = config.serve] { return run_serve(serve); };
  };
}

}  // namespace hearth
