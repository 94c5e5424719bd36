#include <memory>

#include <unistd.h>

#include "runtime/base/error.h"
#include "server/commands/commands.h"
#include "server/hub/pull.h"
#include "server/hub/pull_name.h"
#include "server/interrupt.h"

namespace hearth {
namespace {

// `name` is what the user typed for the reference.
int run_pull(const std::string& name, const HubReference& reference, const PullOptions& options) {
  std::atomic<bool>& interrupted = interrupt_flag();
  DownloadProgress progress(reference.repo, stderr, ::isatty(STDERR_FILENO));
  const PullResult result = pull(reference, options, progress, interrupted);
  fmt::print("{}\n", result.snapshot.string());
  fmt::print(stderr, "{}: {} files, {}; serve it with: hearth serve --model {}\n", reference.to_string(), result.files,
             format_bytes(result.bytes), name);
  return 0;
}

}  // namespace

Prepare add_pull(CLI::App& app) {
  struct Arguments {
    std::string name;
    std::string file;
    int parallel = 4;
    bool list = false;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("NAME_OR_REPO", arguments->name,
                 "A short name, org/name[@revision], or org/name:Q4_K_M for one of its GGUF files");
  app.add_flag("--list", arguments->list, "Show the short names and the repositories they stand for");
  app.add_option("--file", arguments->file, "Only this file of the repository");
  app.add_option("--parallel", arguments->parallel, "Downloads at once")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  app.footer(
      "Examples:\n"
      "  hearth pull qwen3:0.6b\n"
      "  hearth pull HuggingFaceTB/SmolLM2-135M-Instruct\n"
      "  hearth pull TinyLlama/TinyLlama-1.1B-Chat-v1.0@main\n"
      "  hearth pull bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M\n\n"
      "Models go to huggingface_hub's cache (HF_HOME, HF_HUB_CACHE). HF_ENDPOINT names another hub, HF_TOKEN logs in.\n"
      "A download that was interrupted goes on where it ended.");
  return [arguments]() -> Run {
    if (arguments->list)
      return [] {
        fmt::print("{}", list_short_names());
        return 0;
      };
    if (arguments->name.empty())
      throw invalid_argument("pull: no model was named: give org/name or one of `hearth pull --list`");
    const HubReference reference = reference_to_pull(arguments->name);
    PullOptions options;
    options.access = hub_access_from_environment();
    options.file = arguments->file;
    options.parallel = arguments->parallel;
    return [name = arguments->name, reference, options] { return run_pull(name, reference, options); };
  };
}

}  // namespace hearth
