#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "finetune/spec/chat_keys.h"
#include "finetune/spec/trained_chat.h"
#include "models/adapters/adapter_config.h"
#include "models/adapters/served_adapter.h"
#include "models/adapters/value_head.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "server/commands/commands.h"
#include "server/config.h"
#include "server/interrupt.h"
#include "server/terminal_chat/http_backend.h"
#include "server/terminal_chat/in_process_backend.h"
#include "server/terminal_chat/spinner.h"
#include "server/terminal_chat/terminal_chat.h"

namespace hearth {
namespace {

struct ChatArguments {
  std::string config, model, adapter, url, system, template_name;
  std::vector<std::string> overrides, settings;
  ServeConfig serve;
  ChatSettings initial;
};

std::string api_key() {
  for (const char* name : {"HEARTH_API_KEY", "OPENAI_API_KEY"})
    if (const char* key = std::getenv(name); key && *key) return key;
  return "";
}

// The configuration's generation keys become what /set shows.
void apply_generation(const ServeConfig& config, ChatSettings& settings) {
  const GenerationDefaults& defaults = config.generation;
  if (defaults.temperature) settings.temperature = *defaults.temperature;
  if (defaults.top_p) settings.top_p = *defaults.top_p;
  if (defaults.top_k) settings.top_k = *defaults.top_k;
  if (defaults.repetition_penalty) settings.repetition_penalty = *defaults.repetition_penalty;
  if (config.default_max_tokens > 0) settings.max_tokens = config.default_max_tokens;
}

OpenedModel open_model(const ModelSpec& spec, const ServeConfig& serve) {
  const std::filesystem::path path = spec.reference.empty() ? resolve_default_model() : resolve_model(spec.reference);
  std::string name = spec.reference.empty() ? std::string(kDefaultModel) : spec.id();
  const std::vector<std::filesystem::path> adapters(spec.adapter_name_or_path.begin(), spec.adapter_name_or_path.end());
  for (const std::filesystem::path& one : adapters) read_adapter_config(one);  // told before the model is loaded
  if (const std::filesystem::path& place = value_head_place(path, adapters);
      spec.is_reward_model || has_value_head(place))
    throw invalid_argument(
        "{} is a reward model, which scores texts and writes none: `hearth api` serves it at "
        "/v1/score/evaluation",
        place.string());
  LoadOptions load;
  load.compute_dtype = serve.infer_dtype;
  load.chat = serve.chat_of(spec);
  LoadedModel model = load_model(path, load);
  std::shared_ptr<const Adapter> adapter = apply_adapters(adapters, model.model->tensors(), load.compute_dtype);
  for (const std::filesystem::path& one : adapters) {
    chat_as_trained(one, one.string(), model);
    name += ":" + with_name({.name = "", .path = one.string()}).name;
  }
  return {std::move(name), std::move(model), std::move(adapter)};
}

std::unique_ptr<ChatBackend> make_backend(const ChatArguments& arguments, const TerminalStyle& style) {
  if (!arguments.url.empty()) return std::make_unique<HttpBackend>(arguments.url, api_key(), arguments.model);
  const ModelSpec spec = arguments.serve.models.empty() ? ModelSpec{} : arguments.serve.models.front();
  const Spinner spinner("loading " + (spec.reference.empty() ? std::string(kDefaultModel) : spec.id()),
                        style.interactive && style.colors);
  EngineOptions engine;
  engine.cache_tokens = arguments.serve.cache_tokens;
  engine.max_running = 1;
  const auto open_another = [serve = arguments.serve](const std::string& model, const std::string& adapter) {
    ModelSpec another = parse_model_spec(model);
    if (!adapter.empty()) another.adapter_name_or_path = {adapter};
    return open_model(another, serve);
  };
  return std::make_unique<InProcessBackend>(open_model(spec, arguments.serve), open_another, engine);
}

int run_chat(const ChatArguments& arguments) {
  log::initialize(log::Level::kWarn);
  const TerminalStyle style = terminal_style();
  const std::unique_ptr<ChatBackend> backend = make_backend(arguments, style);
  ChatSession session(*backend, arguments.system, arguments.initial);
  std::atomic<bool>& interrupted = interrupt_flag();
  return style.interactive ? chat_on_terminal(*backend, session, style, interrupted)
                           : chat_through_pipe(session, style, interrupted);
}

void read_arguments(ChatArguments& arguments) {
  if (!arguments.config.empty()) {
    const InferenceConfig config = load_inference_config(arguments.config, arguments.overrides);
    for (const std::string& warning : config.warnings) log::warn("{}", warning);
    arguments.serve = config.serve;
  }
  if (!arguments.model.empty() && arguments.url.empty()) {
    ModelSpec spec = parse_model_spec(arguments.model);
    if (!arguments.serve.models.empty())
      spec.adapter_name_or_path = arguments.serve.models.front().adapter_name_or_path;
    arguments.serve.models = {std::move(spec)};
  }
  if (!arguments.url.empty() && !arguments.config.empty())
    throw invalid_argument("chat: give CONFIG.yaml or --url, not both: the server has its own configuration");
  if (!arguments.adapter.empty()) {
    if (!arguments.url.empty())
      throw invalid_argument("chat: with --url name an adapter that the server has as --model: leave --adapter out");
    if (arguments.serve.models.empty()) arguments.serve.models.emplace_back();
    arguments.serve.models.front().adapter_name_or_path = {arguments.adapter};
  }
  if (!arguments.template_name.empty()) {
    if (!arguments.url.empty())
      throw invalid_argument("chat: --template is the server's choice with --url: leave it out");
    check_template_name(arguments.template_name, "--template");
    arguments.serve.chat.template_name = arguments.template_name;
  }
  check_chat_options(arguments.serve.chat);
  apply_generation(arguments.serve, arguments.initial);
  for (const std::string& setting : arguments.settings) {
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) throw invalid_argument("--set {}: must have the form NAME=VALUE", setting);
    arguments.initial.set(setting.substr(0, equals), setting.substr(equals + 1));
  }
}

}  // namespace

Prepare add_chat(CLI::App& app) {
  auto arguments = std::make_shared<ChatArguments>();
  app.add_option("CONFIG", arguments->config, "LLaMA-Factory's inference YAML");
  app.add_option("KEY=VALUE", arguments->overrides, "Overrides of the YAML");
  app.add_option("--model,-m", arguments->model,
                 "A path, a cached name or org/name (default: the default model); with --url an id of the server's");
  app.add_option("--adapter,-a", arguments->adapter, "The directory of a LoRA adapter, in peft's format");
  app.add_option("--url", arguments->url, "Chat with a server instead: http://127.0.0.1:8000");
  app.add_option("--template", arguments->template_name,
                 "One of LLaMA-Factory's templates (default: the checkpoint's own)");
  app.add_option("--system", arguments->system, "The system message");
  app.add_option("--set", arguments->settings, "A sampling parameter, as /set takes it: temperature=0")
      ->allow_extra_args(false);
  app.footer(
      "Examples:\n"
      "  hearth chat\n"
      "  hearth chat --model ./smollm2.gguf --system 'Answer in one sentence.'\n"
      "  hearth chat --adapter ./saves/lora\n"
      "  hearth chat --url http://127.0.0.1:8000\n"
      "  echo 'What is 2+2?' | hearth chat --set temperature=0\n\n"
      "/help in the chat lists its commands. The key for --url is HEARTH_API_KEY or OPENAI_API_KEY.");
  return [arguments]() -> Run {
    read_arguments(*arguments);
    return [arguments] { return run_chat(*arguments); };
  };
}

}  // namespace hearth
