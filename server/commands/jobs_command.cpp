// The queue of a running daemon, from the terminal: `hearth submit` and `hearth jobs`.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/chrono.h>
#include <unistd.h>

#include "finetune/spec/job_spec.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "server/client/daemon_client.h"
#include "server/commands/commands.h"
#include "server/commands/job_view.h"
#include "server/interrupt.h"

namespace hearth {
namespace {

using Json = DaemonClient::Json;

constexpr const char* kDefaultUrl = "http://127.0.0.1:8000";

struct Daemon {
  std::string url;

  void add_option(CLI::App& app) {
    app.add_option("--url", url,
                   "The daemon (default HEARTH_URL, else http://127.0.0.1:8000); its key: HEARTH_API_KEY");
  }
  DaemonClient client(const std::atomic<bool>* cancelled = nullptr) const {
    const auto variable = [](const char* name) { return std::string(std::getenv(name) ? std::getenv(name) : ""); };
    const std::string named = url.empty() ? variable("HEARTH_URL") : url;
    return {named.empty() ? kDefaultUrl : named, variable("HEARTH_API_KEY"), cancelled};
  }
};

// Shows a job until it ends. -> exit code; Ctrl-C ends the showing, not the job.
int follow(const Daemon& daemon, const std::string& id) {
  JobView view(stdout, ::isatty(STDOUT_FILENO) == 1);
  std::string state;
  try {
    daemon.client(&interrupt_flag())
        .stream("/jobs/" + id + "/events?stream=true", std::nullopt, [&](const std::string& data) {
          if (data == "[DONE]") return;
          const Json event = Json::parse(data, nullptr, false);
          if (!event.is_object()) return;
          view.show(event);
          if (event.value("object", "") == "job") state = event.value("status", "");
        });
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kCancelled) throw;
    view.clear();
    throw cancelled("the job goes on; `hearth jobs show {} --follow` shows it again, `hearth jobs cancel {}` ends it",
                    id, id);
  }
  view.clear();
  if (state == "succeeded") return 0;
  if (state == "failed" || state == "cancelled") return 1;
  throw unavailable("the daemon ended; the job goes on when it is started again");
}

int run_submit(const Daemon& daemon, const std::string& file, const std::vector<std::string>& overrides, int priority,
               bool follows) {
  const Json job = daemon.client().post("/jobs", {{"spec", read_file(file)},
                                                  {"name", file},
                                                  {"overrides", overrides},
                                                  {"directory", std::filesystem::current_path().string()},
                                                  {"priority", priority}});
  const std::string id = job.at("id").get<std::string>();
  fmt::print("{}\n", id);
  std::fflush(stdout);
  return follows ? follow(daemon, id) : 0;
}

int run_list(const Daemon& daemon, int limit) {
  const DaemonClient client = daemon.client();
  print_jobs(client.get(fmt::format("/jobs?limit={}", limit)).at("data"));
  return 0;
}

int run_show(const Daemon& daemon, const std::string& id, bool follows) {
  if (follows) return follow(daemon, id);
  print_job(daemon.client().get("/jobs/" + id));
  return 0;
}

int run_act(const Daemon& daemon, const std::string& id, const std::string& action) {
  const Json job = daemon.client().post("/jobs/" + id + "/" + action, Json::object());
  const Json wanted = job.value("wanted", Json());
  fmt::print("{} is {}{}\n", id, job.value("status", ""),
             wanted.is_string() ? fmt::format(", and will be {}", wanted.get<std::string>()) : "");
  return 0;
}

}  // namespace

Prepare add_submit(CLI::App& app) {
  struct Arguments {
    Daemon daemon;
    std::string spec;
    std::vector<std::string> overrides;
    int priority = 0;
    bool follows = false;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("SPEC", arguments->spec, "LLaMA-Factory's YAML of a training, an evaluation or an export")->required();
  app.add_option("KEY=VALUE", arguments->overrides, "In place of what the file says");
  app.add_option("--priority", arguments->priority, "Higher ones run first (default 0)")->check(CLI::Range(-100, 100));
  app.add_flag("--follow,-f", arguments->follows, "Show the job until it ends");
  arguments->daemon.add_option(app);
  app.footer(
      "Examples:\n"
      "  hearth submit examples/train_lora/smollm2_lora_sft.yaml --follow\n"
      "  hearth submit job.yaml learning_rate=1e-4 output_dir=saves/try --priority 5\n"
      "  hearth submit merge.yaml export_dir=models/mine\n"
      "  hearth submit mmlu.yaml save_dir=saves/mine/mmlu\n\n"
      "Prints the job's id. Relative paths of the YAML start from this directory, as with `hearth train`; the daemon\n"
      "must run on this machine or see the same files. `hearth jobs` shows the queue.");
  return [arguments]() -> Run {
    // A mistake is told before the daemon is asked.
    load_job_spec(arguments->spec, arguments->overrides);
    return [arguments] {
      return run_submit(arguments->daemon, arguments->spec, arguments->overrides, arguments->priority,
                        arguments->follows);
    };
  };
}

Prepare add_jobs(CLI::App& app) {
  struct Arguments {
    Daemon daemon;
    std::string id;
    int limit = 20;
    bool follows = false;
  };
  auto arguments = std::make_shared<Arguments>();
  app.require_subcommand(0, 1);
  arguments->daemon.add_option(app);
  CLI::App* list = app.add_subcommand("list", "The newest jobs (also without a subcommand)");
  list->add_option("--limit", arguments->limit, "How many (default 20)")->check(CLI::Range(1, 100));
  CLI::App* show = app.add_subcommand("show", "One job");
  show->add_flag("--follow,-f", arguments->follows, "Show it until it ends");
  CLI::App* log = app.add_subcommand("log", "What its worker wrote to standard output and error");
  for (CLI::App* sub : {show, log}) sub->add_option("ID", arguments->id)->required();
  for (const auto& [name, help] : {std::pair{"cancel", "End it within a step"},
                                   std::pair{"pause", "Save a checkpoint within a step, and wait for resume"},
                                   std::pair{"resume", "Queue a paused job again"}})
    app.add_subcommand(name, help)->add_option("ID", arguments->id)->required();
  for (CLI::App* sub : app.get_subcommands({})) arguments->daemon.add_option(*sub);
  app.footer(
      "Examples:\n"
      "  hearth jobs\n"
      "  hearth jobs show job-0123456789abcdef01234567 --follow\n"
      "  hearth jobs pause job-0123456789abcdef01234567\n\n"
      "`hearth submit` puts a job into the queue.");
  return [arguments, &app, log, show]() -> Run {
    const std::vector<CLI::App*> given = app.get_subcommands();
    const std::string action = given.empty() ? "list" : given.front()->get_name();
    return [arguments, action, log, show] {
      if (action == "list") return run_list(arguments->daemon, arguments->limit);
      if (action == show->get_name()) return run_show(arguments->daemon, arguments->id, arguments->follows);
      if (action != log->get_name()) return run_act(arguments->daemon, arguments->id, action);
      fmt::print("{}", arguments->daemon.client().get_text("/jobs/" + arguments->id + "/log"));
      return 0;
    };
  };
}

}  // namespace hearth
