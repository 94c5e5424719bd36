#include <chrono>
#include <cstdio>
#include <memory>

#include <unistd.h>

#include "models/loader.h"
#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
#include "runtime/engine/engine.h"
#include "server/commands/commands.h"
#include "server/hub/progress.h"

namespace hearth {
namespace {

int list_models() {
  const std::vector<CachedModel> models = list_cached_models();
  size_t width = 4;
  for (const CachedModel& model : models) width = std::max(width, model.name.size());
  for (const CachedModel& model : models)
    fmt::print("{:<{}}  {:>9}  {}\n", model.name, width, format_bytes(model.bytes),
               model.problem.empty() ? model.path.string() : "incomplete: " + model.problem);
  if (models.empty()) fmt::print(stderr, "no model is cached; fetch one with: hearth pull org/name\n");
  return 0;
}

// Loads the model and runs one token through it.
int check_model(const std::string& reference) {
  const auto begin = std::chrono::steady_clock::now();
  const std::filesystem::path path = reference.empty() ? resolve_default_model() : resolve_model(reference);
  const LoadedModel loaded = load_model(path);
  EngineOptions options;
  options.cache_tokens = 256;
  Engine engine(loaded.model, options);
  GenerateRequest request;
  request.prompt = loaded.tokenizer->encode("Hello", {.add_special = true});
  request.max_tokens = 1;
  request.sampling.temperature = 0;
  const std::shared_ptr<Stream> stream = engine.submit(request);
  for (;;) {
    const std::optional<StreamEvent> event = stream->next(std::chrono::seconds(1));
    if (!event || event->kind != StreamEvent::Kind::kFinished) continue;
    if (event->finish_reason == FinishReason::kError) throw Error(ErrorCode::kInternal, event->error);
    break;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print("{}: {}, {}; loaded and ran one token in {:.1f} s\n",
             model_id(reference.empty() ? kDefaultModel : reference), loaded.description,
             loaded.is_chat_model() ? "chat template" : "no chat template (completions only)", seconds);
  return 0;
}

bool confirmed(const std::string& question) {
  fmt::print(stderr, "{} [y/N] ", question);
  char answer[16] = "";
  return std::fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

int remove_model(const std::string& name, bool yes) {
  std::vector<std::string> names;
  for (const CachedModel& model : list_cached_models()) {
    names.push_back(model.name);
    if (model.name != name) continue;
    if (!yes && !confirmed(fmt::format("remove {} ({})?", model.root.string(), format_bytes(model.bytes)))) {
      fmt::print(stderr, "nothing was removed\n");
      return 1;
    }
    std::error_code error;
    std::filesystem::remove_all(model.root, error);
    if (error) throw unavailable("{}: cannot remove: {}", model.root.string(), error.message());
    fmt::print(stderr, "removed {}, {}\n", name, format_bytes(model.bytes));
    return 0;
  }
  throw not_found("no cached model is named '{}'{}; `hearth models` lists them", name, did_you_mean(name, names));
}

}  // namespace

Prepare add_models(CLI::App& app) {
  struct Arguments {
    std::string check, remove;
    bool yes = false;
  };
  auto arguments = std::make_shared<Arguments>();
  app.require_subcommand(0, 1);
  CLI::App* list = app.add_subcommand("list", "List the cached models (also without a word)");
  CLI::App* check = app.add_subcommand("check", "Load a model, run one token, say what it is");
  CLI::App* remove = app.add_subcommand("remove", "Delete a cached model");
  check->add_option("PATH_OR_NAME", arguments->check, "A path, a cached name or org/name (default: the default model)");
  remove->add_option("NAME", arguments->remove, "As `hearth models` lists it")->required();
  remove->add_flag("--yes,-y", arguments->yes, "Do not ask");
  app.footer(
      "Examples:\n"
      "  hearth models\n"
      "  hearth models check ./smollm2.gguf\n"
      "  hearth models remove org/name");
  (void)list;
  return [arguments, check, remove]() -> Run {
    if (check->parsed()) return [arguments] { return check_model(arguments->check); };
    if (!remove->parsed()) return list_models;
    if (!arguments->yes && !::isatty(STDIN_FILENO))
      throw invalid_argument("models remove: stdin is no terminal to ask on: add --yes");
    return [arguments] { return remove_model(arguments->remove, arguments->yes); };
  };
}

}  // namespace hearth
