#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "models/adapters/adapter_config.h"
#include "models/adapters/value_head.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "server/app.h"
#include "server/commands/commands.h"
#include "server/config.h"
#include "server/jobs/bounded_command.h"
#include "server/keys/key_table.h"
#include "server/serve_options.h"
#include "server/state/state_directory.h"

namespace hearth {
namespace {

// Network file systems show a heartbeat up to a minute late.
constexpr auto kSlurmLease = std::chrono::minutes(5);
constexpr auto kOpenPatience = std::chrono::seconds(30);

void require_value_head(const std::filesystem::path& directory) {
  if (!has_value_head(directory))
    throw invalid_argument(
        "stage: rm serves a reward model, but {} has no value_head.safetensors: name what a run "
        "with stage: rm wrote",
        directory.string());
}

std::filesystem::path state_directory_of(const ServeConfig& config) {
  return config.state_dir.empty() ? default_state_directory() : config.state_dir;
}

// Before anything is loaded or made.
void check_access(const ServeConfig& config) {
  if (!config.api_keys.empty() || is_loopback(config.host)) return;
  const std::filesystem::path state = state_directory_of(config);
  const bool has_key =
      std::filesystem::exists(state / kDatabaseName) && !read_keys(*open_state_database(state)).empty();
  check_exposure(config.host, has_key);
}

enum class Page { kServed, kOpened };

// What a desktop opens addresses with; a machine without one says where the page is.
void open_page(const std::string& url) {
  const std::string program = "xdg-open";
  if (!BoundedCommand::is_installed(program)) return log::info("the page is at {}; open it in a browser", url);
  std::thread([=] { BoundedCommand().run({program, url}, kOpenPatience); }).detach();
}

int run_serve(const ServeConfig& config, Page page = Page::kServed) {
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
  options.rate_limits = {config.requests_per_minute, config.requests_in_flight};
  options.host = config.host;
  options.port = config.port;
  options.api_keys = config.api_keys;
  options.cors_origins = config.cors_origins;
  options.engine.cache_tokens = config.cache_tokens;
  options.engine.max_running = config.max_running;
  options.engine.max_queued = config.max_queued;
  options.model_memory = config.model_memory;
  options.load_timeout = config.load_timeout;
  options.compute_dtype = config.infer_dtype;
  options.tool_call_parser = config.tool_call_parser;
  options.generation = config.generation;
  options.default_max_tokens = config.default_max_tokens;
  options.drain_timeout = config.drain_timeout;
  options.tls = config.tls;
  options.image_urls = config.image_urls;
  options.max_files_bytes = config.max_files_bytes;
  options.stored = {std::chrono::hours(24 * config.stored_days), config.max_stored_bytes};
  options.state_directory = state_directory_of(config);
  options.executor = config.executor;
  const bool uses_slurm = config.executor.uses_slurm;
  options.jobs.max_jobs = config.max_jobs > 0 ? config.max_jobs : uses_slurm ? kSlurmJobs : 1;
  if (uses_slurm) options.jobs.lease = kSlurmLease;
  options.jobs.in_background = config.jobs_in_background;
  options.jobs.retention = std::chrono::hours(24 * config.job_retention_days);
  if (page == Page::kOpened) options.listening = open_page;
  App(std::move(options)).run();
  return 0;
}

// The values of the command line, one list an option of the table.
struct ServeArguments {
  std::string config;
  std::vector<std::vector<std::string>> values = std::vector<std::vector<std::string>>(serve_options().size());
};

ServeConfig configuration(const ServeArguments& arguments) {
  ServeConfig config = arguments.config.empty() ? ServeConfig{} : load_serve_config(arguments.config);
  apply_environment(config);
  for (size_t i = 0; i < serve_options().size(); ++i) {
    const ServeOption& option = serve_options()[i];
    if (!arguments.values[i].empty()) set_option(option, arguments.values[i], option.long_flag(), config);
  }
  check_serve_config(config);
  check_access(config);
  return config;
}

void add_options(CLI::App& app, ServeArguments& arguments) {
  for (size_t i = 0; i < serve_options().size(); ++i) {
    const ServeOption& option = serve_options()[i];
    CLI::Option* added = app.add_option(std::string(option.flag), arguments.values[i], std::string(option.help));
    added->type_name(std::string(option.argument))->group(std::string(group_title(option.group)));
    added->allow_extra_args(false);
    if (!option.is_list) added->expected(1);
  }
}

}  // namespace

Prepare add_serve(CLI::App& app) {
  auto arguments = std::make_shared<ServeArguments>();
  app.add_option("CONFIG", arguments->config, "YAML with these options as keys: models, host, port, api_keys, ...");
  add_options(app, *arguments);
  app.footer(
      "Examples:\n"
      "  hearth serve\n"
      "  hearth serve --model ./smollm2.gguf --port 9000\n"
      "  hearth serve --model ./merged --template llama3\n"
      "  hearth serve --model small=org/name --adapter tuned=./saves/lora\n"
      "  hearth serve --model small=org/name --model exact=./other --infer-dtype float32\n"
      "  hearth serve --model small=org/name --model large=org/other --model-memory 8GiB\n"
      "  hearth serve serve.yaml --host 0.0.0.0 --api-key \"$KEY\"\n\n"
      "  curl http://127.0.0.1:8000/v1/chat/completions -H 'Content-Type: application/json' \\\n"
      "    -d '{\"model\": \"small\", \"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}'\n\n"
      "--port is `port: 9000` in CONFIG and HEARTH_PORT=9000 in the environment, and so is every option; what can be\n"
      "repeated has a plural in CONFIG (models, adapters, api_keys, cors_origins) and commas in the environment. The\n"
      "command line wins over the environment, and that over CONFIG.");
  return [arguments]() -> Run {
    const ServeConfig config = configuration(*arguments);
    log::set_format(config.log_format);
    return [config] { return run_serve(config); };
  };
}

namespace {

Prepare add_inference(CLI::App& app, Page page) {
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
      "  hearth webchat llama3.yaml                   the same, and opens the page in a browser\n"
      "  API_PORT=9000 API_KEY=secret hearth api llama3.yaml infer_dtype=float32\n\n"
      "Environment: API_HOST, API_PORT, API_KEY, API_MODEL_NAME, API_CORS_ORIGINS (comma-separated), "
      "ALLOW_EXTRA_ARGS.");
  return [arguments, page]() -> Run {
    InferenceConfig config = load_inference_config(arguments->config, arguments->overrides);
    apply_api_environment(config.serve);
    log::set_format(config.serve.log_format);
    for (const std::string& warning : config.warnings) log::warn("{}", warning);
    check_serve_config(config.serve);
    check_access(config.serve);
    return [serve = config.serve, page] { return run_serve(serve, page); };
  };
}

}  // namespace

Prepare add_api(CLI::App& app) { return add_inference(app, Page::kServed); }
Prepare add_webchat(CLI::App& app) { return add_inference(app, Page::kOpened); }

}  // namespace hearth
