// The program: finds the subcommand, parses its arguments, runs it. The one place that turns errors into a line on
// stderr and an exit code: 0 done, 1 failed, 2 usage or configuration, 130 interrupted.
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/nearest_name.h"
#include "server/commands/commands.h"

namespace hearth {
namespace {

constexpr int kFailed = 1, kUsage = 2, kInterrupted = 130;

struct Command {
  const char* name;
  const char* help;
  Prepare (*add)(CLI::App& app);
};

constexpr Command kCommands[] = {
    {"serve", "Serve models over OpenAI's HTTP API", add_serve},
    {"api", "The same for the model of a LLaMA-Factory YAML", add_api},
    {"webchat", "The same, and open its page in a browser", add_webchat},
    {"keys", "Make, list and revoke the keys of the daemon's clients", add_keys},
    {"chat", "Chat in the terminal, in this process or with a server", add_chat},
    {"train", "Fine-tune a model by a LLaMA-Factory YAML", add_train},
    {"eval", "Predict and score by a LLaMA-Factory YAML, or score a file of predictions", add_eval},
    {"export", "Write a model with its adapters for other programs", add_export},
    {"bench", "Measure how fast a model reads, writes and learns here", add_bench},
    {"submit", "Put a job into the daemon's queue", add_submit},
    {"jobs", "Show and change the daemon's jobs", add_jobs},
    {"preprocess", "Show what a training job would learn", add_preprocess},
    {"pull", "Download a model from a hub", add_pull},
    {"models", "List, check and remove cached models", add_models},
    {"templates", "List LLaMA-Factory's prompt templates, or show one", add_templates},
    {"data", "Check the datasets of a training job", add_data},
    {"worker", "Run one job of the queue (started by the daemon)", add_worker},
    {"env", "Show the CPU, the libraries and the caches", add_env},
    {"version", "Show the version", add_version},
};

std::vector<std::string> command_names() {
  std::vector<std::string> names = {"help"};
  for (const Command& command : kCommands) names.emplace_back(command.name);
  return names;
}

int fail(int code, std::string_view message) {
  fmt::print(stderr, "hearth: {}\n", message);
  return code;
}

std::vector<CLI::App*> subcommands(CLI::App& app) {
  return app.get_subcommands([](CLI::App*) { return true; });
}

CLI::App* find_subcommand(CLI::App& app, std::string_view name) {
  for (CLI::App* sub : subcommands(app))
    if (sub->get_name() == name) return sub;
  return nullptr;
}

// The innermost subcommand that was given.
CLI::App& deepest(CLI::App& app) {
  for (CLI::App* sub : app.get_subcommands()) return deepest(*sub);
  return app;
}

// "models check"
std::string path_of(CLI::App& app) {
  CLI::App* parent = app.get_parent();
  if (!parent) return "";
  const std::string above = path_of(*parent);
  return above.empty() ? app.get_name() : above + " " + app.get_name();
}

std::string help_of(CLI::App& app) {
  CLI::App* parent = app.get_parent();
  if (!parent) return app.help();
  const std::string above = path_of(*parent);
  return app.help(above.empty() ? "hearth" : "hearth " + above);
}

// One line for what CLI11 found wrong, with the nearest option where one was mistyped.
std::string describe(const CLI::ParseError& error, CLI::App& app) {
  CLI::App& command = deepest(app);
  const std::string name = path_of(command);
  const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  if (!dynamic_cast<const CLI::ExtrasError*>(&error) || extras.empty())
    return fmt::format("{}: {}; `hearth help {}` shows how", name, error.what(), name);
  const std::string& extra = extras.front();
  const bool is_option = extra.starts_with("-");
  std::vector<std::string> known;
  for (const CLI::App* sub : subcommands(command))
    if (!is_option) known.push_back(sub->get_name());
  for (const CLI::Option* option : command.get_options())
    for (const std::string& long_name : option->get_lnames())
      if (is_option) known.push_back("--" + long_name);
  return fmt::format("{}: {} '{}'{}; `hearth help {}` shows how", name,
                     is_option ? "unknown option" : "unexpected argument", extra,
                     did_you_mean(extra.substr(0, extra.find('=')), known), name);
}

int run_prepared(const Prepare& prepare) {
  Run run;
  try {
    run = prepare();
  } catch (const Error& error) {
    return fail(kUsage, error.what());
  }
  try {
    return run();
  } catch (const Error& error) {
    return fail(error.code() == ErrorCode::kCancelled ? kInterrupted : kFailed, error.what());
  }
}

int show_help(CLI::App& app, int argc, char** argv) {
  CLI::App* shown = &app;
  for (int i = 2; i < argc; ++i) {
    CLI::App* sub = find_subcommand(*shown, argv[i]);
    if (!sub) return fail(kUsage, fmt::format("no command '{}'{}", argv[i], did_you_mean(argv[i], command_names())));
    shown = sub;
  }
  fmt::print("{}", help_of(*shown));
  return 0;
}

int run(int argc, char** argv) {
  try {
    log::initialize();
  } catch (const Error& error) {
    return fail(kUsage, error.what());
  }
  CLI::App app("hearth serves and fine-tunes large language models on CPUs.", "hearth");
  app.require_subcommand(1);
  app.footer("`hearth help COMMAND` shows a command's options and examples.");
  std::map<const CLI::App*, Prepare> prepare;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(command.name, command.help);
    prepare[sub] = command.add(*sub);
  }
  if (argc < 2) {
    fmt::print(stderr, "{}", app.help());
    return kUsage;
  }
  const std::string name = argv[1];
  if (name == "help") return show_help(app, argc, argv);
  if (name == "--version") return run_prepared(prepare[app.get_subcommand("version")]);
  if (!name.starts_with("-") && !find_subcommand(app, name))
    return fail(kUsage,
                fmt::format("no command '{}'{}; `hearth help` lists them", name, did_you_mean(name, command_names())));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", help_of(deepest(app)));
    return 0;
  } catch (const CLI::ParseError& error) {
    return fail(kUsage, describe(error, app));
  }
  return run_prepared(prepare[app.get_subcommands().front()]);
}

}  // namespace
}  // namespace hearth

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its limit (ulimit -f) is an error of write then, as a full disk is
  try {
    return hearth::run(argc, argv);
  } catch (const std::exception& error) {
    return hearth::fail(hearth::kFailed, error.what());
  }
}
