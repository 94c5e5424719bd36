#include "server/serve_options.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "finetune/spec/chat_keys.h"
#include "finetune/spec/field_makers.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/nearest_name.h"
#include "templates/tool_parsers/call_format.h"

namespace hearth {
namespace {

constexpr bool kList = true;

// An entry of `models`: "NAME=PATH", or a mapping with `path` and perhaps `name` and `template`.
ModelSpec model_from_yaml(const YAML::Node& node, const YamlEntry& entry) {
  if (node.IsScalar()) return parse_model_spec(node.Scalar());
  if (!node.IsMap())
    throw invalid_argument("{}: a model must be PATH_OR_NAME, NAME=PATH or a mapping with 'path'", entry.where);
  ModelSpec spec;
  for (const auto& pair : node) {
    const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
    if ((key != "path" && key != "name" && key != "template") || !pair.second.IsScalar())
      throw invalid_argument("{}: a model has 'path', 'name' and 'template', all texts; found '{}'", entry.where, key);
    (key == "path" ? spec.reference : key == "name" ? spec.name : spec.template_name) = pair.second.Scalar();
  }
  if (!spec.template_name.empty()) check_template_name(spec.template_name, entry.where);
  if (spec.reference.empty()) throw invalid_argument("{}: a model lacks 'path'", entry.where);
  return spec;
}

// An entry of `adapters`: as parse_adapter_spec takes it, or a mapping with `path` and perhaps `name` and `model`.
AdapterSpec adapter_from_yaml(const YAML::Node& node, const YamlEntry& entry) {
  if (node.IsScalar()) return parse_adapter_spec(node.Scalar());
  if (!node.IsMap())
    throw invalid_argument("{}: an adapter must be NAME=DIR, MODEL:NAME=DIR or a mapping with 'path'", entry.where);
  AdapterSpec spec;
  for (const auto& pair : node) {
    const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
    if ((key != "path" && key != "name" && key != "model") || !pair.second.IsScalar())
      throw invalid_argument("{}: an adapter has 'path', 'name' and 'model', all texts; found '{}'", entry.where, key);
    (key == "path" ? spec.path : key == "name" ? spec.name : spec.model) = pair.second.Scalar();
  }
  if (spec.path.empty()) throw invalid_argument("{}: an adapter lacks 'path'", entry.where);
  return with_name(std::move(spec));
}

// The items of a list, or the one that stands alone.
template <class Item>
std::vector<Item> items_of(const YamlEntry& entry, Item (*read)(const YAML::Node& node, const YamlEntry& entry)) {
  if (!entry.value.IsSequence()) return {read(entry.value, entry)};
  std::vector<Item> items;
  for (const YAML::Node& node : entry.value) items.push_back(read(node, entry));
  return items;
}

int int_of(const YamlEntry& entry, int least, int most) { return static_cast<int>(yaml_int(entry, least, most)); }

// "8GiB", or a number of bytes.
int64_t bytes_of(const YamlEntry& entry) {
  try {
    return parse_memory(yaml_string(entry));
  } catch (const Error& error) {
    throw invalid_argument("{}: {}: {}", entry.where, entry.key, error.what());
  }
}

ImageUrls image_urls_of(const YamlEntry& entry) {
  try {
    return parse_image_urls(yaml_string(entry));
  } catch (const Error& error) {
    throw invalid_argument("{}: {}: {}", entry.where, entry.key, error.what());
  }
}

void read_chat_entry(const YamlEntry& entry, ServeConfig& config) { read_chat_key(entry, config.chat); }

std::string tool_call_parser_of(const YamlEntry& entry) {
  std::string name = yaml_string(entry);
  check_call_format(name, entry.where);
  return name;
}

using enum OptionGroup;

constexpr ServeOption kOptions[] = {
    {kModels, "models", "-m,--model", "PATH_OR_NAME", "What to serve; NAME=PATH names it (default: the default model)",
     [](const YamlEntry& e, ServeConfig& c) { c.models = items_of(e, model_from_yaml); }, kList},
    {kModels, "adapters", "-a,--adapter", "NAME=DIR",
     "LoRA adapter in peft's format, beside the model: answers as NAME and MODEL:NAME; MODEL:NAME=DIR with several "
     "models",
     [](const YamlEntry& e, ServeConfig& c) { c.adapters = items_of(e, adapter_from_yaml); }, kList},
    {kModels, "infer_dtype", "--infer-dtype", "TYPE", "auto (fast, the default) or float32 (exact)",
     [](const YamlEntry& e, ServeConfig& c) { c.infer_dtype = parse_infer_dtype(yaml_string(e)); }},
    {kModels, "template", "--template", "NAME",
     "One of LLaMA-Factory's templates for every model (default: each checkpoint's own)", read_chat_entry},
    {kModels, "default_system", "--default-system", "TEXT", "System message of chats that bring none", read_chat_entry},
    {kModels, "tool_format", "--tool-format", "NAME", "How a named template writes tools", read_chat_entry},
    {kModels, "tool_call_parser", "--tool-call-parser", "NAME",
     "How calls of tools are read: hermes, llama3_json, mistral, ... (default: by the template)",
     [](const YamlEntry& e, ServeConfig& c) { c.tool_call_parser = tool_call_parser_of(e); }},
    {kModels, "enable_thinking", "--enable-thinking", "BOOL", "true (default) or false: whether models reason first",
     read_chat_entry},
    {kModels, "preserve_thinking", "--preserve-thinking", "BOOL", "Keep the reasoning of earlier turns in the prompt",
     read_chat_entry},

    {kNetwork, "host", "--host", "ADDRESS", "Listen on it (default 127.0.0.1; others need an API key)",
     [](const YamlEntry& e, ServeConfig& c) { c.host = yaml_string(e); }},
    {kNetwork, "port", "-p,--port", "N", "Port (default 8000; 0: any that is free)",
     [](const YamlEntry& e, ServeConfig& c) { c.port = int_of(e, 0, 65535); }},
    {kNetwork, "api_keys", "--api-key", "KEY", "Key that may do everything and that clients must send",
     [](const YamlEntry& e, ServeConfig& c) { c.api_keys = yaml_strings(e); }, kList},
    {kNetwork, "cors_origins", "--cors-origin", "ORIGIN", "Web page that may call the API, or * (default: none)",
     [](const YamlEntry& e, ServeConfig& c) { c.cors_origins = yaml_strings(e); }, kList},
    {kNetwork, "tls_certificate", "--tls-certificate", "FILE",
     "Serve HTTPS with this chain of certificates (PEM, the server's own first)",
     [](const YamlEntry& e, ServeConfig& c) { c.tls.certificate = yaml_string(e); }},
    {kNetwork, "tls_key", "--tls-key", "FILE", "The certificate's private key (PEM, without a password)",
     [](const YamlEntry& e, ServeConfig& c) { c.tls.key = yaml_string(e); }},
    {kNetwork, "image_urls", "--image-urls", "off|public|HOST[,HOST...]",
     "Which http(s) URLs of images in requests the daemon fetches: none (default), those of hosts with a public "
     "address, or only those of these hosts (HOST:PORT for other ports than 80 and 443), whatever their address",
     [](const YamlEntry& e, ServeConfig& c) { c.image_urls = image_urls_of(e); }},

    {kLimits, "cache_tokens", "--cache-tokens", "N", "Tokens that a model's KV cache holds (default 8192)",
     [](const YamlEntry& e, ServeConfig& c) { c.cache_tokens = int_of(e, 16, 1 << 26); }},
    {kLimits, "max_running", "--max-running", "N", "Sequences of a model that run at once (default 64)",
     [](const YamlEntry& e, ServeConfig& c) { c.max_running = int_of(e, 1, 4096); }},
    {kLimits, "max_queued", "--max-queued", "N", "Requests that may wait; one more gets 503 (default 256)",
     [](const YamlEntry& e, ServeConfig& c) { c.max_queued = int_of(e, 0, 1'000'000); }},
    {kLimits, "model_memory", "--model-memory", "8GiB",
     "What loaded models may take together; others are loaded when a request names them, in place of those used "
     "longest "
     "ago (default: 3/4 of the machine's memory)",
     [](const YamlEntry& e, ServeConfig& c) { c.model_memory = bytes_of(e); }},
    {kLimits, "load_timeout", "--load-timeout", "SECONDS",
     "How long a request waits for a model that is not loaded (default 60)",
     [](const YamlEntry& e, ServeConfig& c) { c.load_timeout = std::chrono::seconds(int_of(e, 1, 3600)); }},
    {kLimits, "requests_per_minute", "--requests-per-minute", "N",
     "Requests that a key may make, unless it has a limit of its own; one more gets 429 (default 0: no limit)",
     [](const YamlEntry& e, ServeConfig& c) { c.requests_per_minute = int_of(e, 0, 1'000'000); }},
    {kLimits, "requests_in_flight", "--requests-in-flight", "N",
     "Requests that a key may have under way; one more gets 429 (default 0: no limit)",
     [](const YamlEntry& e, ServeConfig& c) { c.requests_in_flight = int_of(e, 0, 1'000'000); }},
    {kLimits, "max_files_bytes", "--max-files-bytes", "20GiB",
     "What all uploaded files may take together; beyond it uploads get 507 (default 20 GiB)",
     [](const YamlEntry& e, ServeConfig& c) { c.max_files_bytes = bytes_of(e); }},
    {kLimits, "max_stored_bytes", "--max-stored-bytes", "1GiB",
     "What responses and stored chat completions may take together; beyond it the oldest go (default 1 GiB)",
     [](const YamlEntry& e, ServeConfig& c) { c.max_stored_bytes = bytes_of(e); }},

    {kOperation, "state_dir", "--state-dir", "DIR",
     "Where jobs, uploaded files and keys are kept (default $XDG_STATE_HOME/hearth, ~/.local/state/hearth)",
     [](const YamlEntry& e, ServeConfig& c) { c.state_dir = yaml_string(e); }},
    {kOperation, "max_jobs", "--max-jobs", "N", "Training jobs that run at once (default 1; with executor slurm 16)",
     [](const YamlEntry& e, ServeConfig& c) { c.max_jobs = int_of(e, 1, 64); }},
    {kOperation, "job_priority", "--job-priority", "idle|normal",
     "idle: jobs get the CPUs that nobody else wants, so answers stay fast (default); normal: their share",
     [](const YamlEntry& e, ServeConfig& c) {
       constexpr std::string_view kPriorities[] = {"idle", "normal"};
       c.jobs_in_background = read_choice(e, kPriorities) == 0;
     }},
    {kOperation, "job_retention_days", "--job-retention-days", "N",
     "Days after which jobs that ended are forgotten; what they trained stays (default 0: never)",
     [](const YamlEntry& e, ServeConfig& c) { c.job_retention_days = int_of(e, 0, 36'500); }},
    {kOperation, "stored_days", "--stored-days", "N",
     "Days that responses and stored chat completions are kept (default 30; 0: none is kept)",
     [](const YamlEntry& e, ServeConfig& c) { c.stored_days = int_of(e, 0, 36'500); }},
    {kOperation, "log_format", "--log-format", "FORMAT", "text (default) or json, an object a line",
     [](const YamlEntry& e, ServeConfig& c) {
       constexpr std::string_view kFormats[] = {"text", "json"};
       c.log_format = static_cast<log::Format>(read_choice(e, kFormats));
     }},
    {kOperation, "executor", "--executor", "local|slurm",
     "Where jobs run: beside the daemon (default), or as jobs of Slurm, with the state on a shared file system",
     [](const YamlEntry& e, ServeConfig& c) {
       constexpr std::string_view kExecutors[] = {"local", "slurm"};
       c.executor.uses_slurm = read_choice(e, kExecutors) == 1;
     }},
    {kOperation, "slurm_options", "--slurm-option", "OPTION", "Option of sbatch: --slurm-option=--partition=cpu",
     [](const YamlEntry& e, ServeConfig& c) { c.executor.slurm.options = yaml_strings(e); }, kList},
    {kOperation, "slurm_tasks", "--slurm-tasks", "N",
     "Processes of a Slurm job, which share each step's batches through MPI (default 1)",
     [](const YamlEntry& e, ServeConfig& c) { c.executor.slurm.tasks = int_of(e, 1, 4096); }},
    {kOperation, "drain_timeout", "--drain-timeout", "SECONDS",
     "How long running answers have after SIGTERM (default 30)",
     [](const YamlEntry& e, ServeConfig& c) { c.drain_timeout = std::chrono::seconds(int_of(e, 0, 86'400)); }},
};

// null leaves the default, but for enable_thinking, where it is a value of its own.
void apply(const ServeOption& option, const YamlEntry& entry, ServeConfig& config) {
  if (!entry.is_null() || option.key == "enable_thinking") option.apply(entry, config);
}

std::string variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? value : "";
}

void apply_variable(const ServeOption& option, const std::string& name, ServeConfig& config) {
  const std::string value = variable(name);
  // Kubernetes sets HEARTH_PORT=tcp://10.0.0.1:80 for a service that is called hearth.
  if (value.empty() || value.starts_with("tcp://")) return;
  set_option(option, option.is_list ? split_at_commas(value) : std::vector{value}, name, config);
}

}  // namespace

std::string_view group_title(OptionGroup group) {
  switch (group) {
    case kModels:
      return "Models";
    case kNetwork:
      return "Network";
    case kLimits:
      return "Limits";
    case kOperation:
      break;
  }
  return "Operation";
}

std::string ServeOption::long_flag() const { return std::string(flag.substr(flag.find("--"))); }

std::string ServeOption::environment() const {
  std::string name = "HEARTH_" + long_flag().substr(2);
  for (char& c : name) c = c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

std::span<const ServeOption> serve_options() { return kOptions; }

const ServeOption& serve_option(std::string_view key) {
  const auto* found = std::ranges::find(kOptions, key, &ServeOption::key);
  HEARTH_CHECK(found != std::end(kOptions));
  return *found;
}

ServeConfig load_serve_config(const std::filesystem::path& path) {
  ServeConfig config;
  for (const YamlEntry& entry : read_yaml_entries(path)) {
    const auto* found = std::ranges::find(kOptions, entry.key, &ServeOption::key);
    if (found != std::end(kOptions)) {
      apply(*found, entry, config);
      continue;
    }
    if (entry.key == "model_name_or_path")
      throw invalid_argument("{}: this is an inference YAML of LLaMA-Factory: start it with `hearth api {}`",
                             entry.where, path.string());
    std::vector<std::string_view> names;
    for (const ServeOption& option : kOptions) names.push_back(option.key);
    throw invalid_argument("{}: unknown key '{}'{}", entry.where, entry.key, did_you_mean(entry.key, names));
  }
  return config;
}

void set_option(const ServeOption& option, const std::vector<std::string>& values, std::string_view where,
                ServeConfig& config) {
  HEARTH_CHECK(option.is_list || values.size() == 1);
  YAML::Node value;
  if (option.is_list)
    value = values;
  else if (values.front() != "null")
    value = values.front();
  apply(option, {std::string(option.key), value, std::string(where)}, config);
  if (option.key == "template")  // of every model, also of those to which the file gave another
    for (ModelSpec& model : config.models) model.template_name.clear();
}

void apply_environment(ServeConfig& config) {
  for (const ServeOption& option : kOptions) apply_variable(option, option.environment(), config);
}

void apply_api_environment(ServeConfig& config) {
  for (const ServeOption& option : kOptions)
    if (option.group != kModels) apply_variable(option, option.environment(), config);
  apply_variable(serve_option("host"), "API_HOST", config);
  apply_variable(serve_option("port"), "API_PORT", config);
  apply_variable(serve_option("api_keys"), "API_KEY", config);
  apply_variable(serve_option("cors_origins"), "API_CORS_ORIGINS", config);
  if (const std::string name = variable("API_MODEL_NAME"); !name.empty())
    for (ModelSpec& model : config.models) model.name = name;
}

}  // namespace hearth
