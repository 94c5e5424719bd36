#include "server/jobs/slurm.h"

#include <algorithm>
#include <array>

#include "runtime/base/error.h"

namespace hearth {
namespace {

// Of no return. All others, those of later versions too, may run yet.
constexpr std::array<std::string_view, 9> kEnded = {"BOOT_FAIL", "CANCELLED",     "COMPLETED", "DEADLINE", "FAILED",
                                                    "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"};

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// sbatch replaces %j and others in names of files.
std::string without_patterns(const std::string& path) {
  std::string text;
  for (const char c : path) text += c == '%' ? std::string("%%") : std::string(1, c);
  return text;
}

}  // namespace

bool SlurmJob::is_live() const { return std::ranges::find(kEnded, state) == kEnded.end(); }
bool SlurmJob::is_running() const { return state == "RUNNING"; }
bool SlurmJob::has_failed() const {
  return state == "COMPLETED" || state == "FAILED" || state == "OUT_OF_MEMORY" || state == "TIMEOUT";
}

std::string SlurmJob::describe() const {
  return fmt::format("Slurm job {}: {}{}", id, state, reason.empty() || reason == "None" ? "" : " (" + reason + ")");
}

std::vector<std::string> squeue_command() {
  return {"squeue", "--me", "--noheader", "--states=all", "--format=%i|%T|%r|%j"};
}

std::vector<SlurmJob> parse_squeue(std::string_view output) {
  std::vector<SlurmJob> jobs;
  while (!output.empty()) {
    const std::string_view line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(output.size(), line.size() + 1));
    std::array<std::string, 4> fields;
    size_t begin = 0;
    for (size_t i = 0; i < fields.size(); ++i) {
      const size_t end = i + 1 < fields.size() ? line.find('|', begin) : line.size();
      if (end == std::string_view::npos)
        throw data_corruption("squeue: 'id|state|reason|name' was expected, found '{}'", line.substr(0, 200));
      fields[i] = line.substr(begin, end - begin);
      begin = end + 1;
    }
    jobs.push_back({fields[0], fields[1], fields[2], fields[3]});
  }
  return jobs;
}

std::string slurm_name(const std::string& job, int attempt) { return fmt::format("hearth-{}-{}", job, attempt); }

bool is_slurm_name_of(const std::string& job, std::string_view name) {
  const std::string prefix = "hearth-" + job + "-";
  return name.starts_with(prefix) && is_number(name.substr(prefix.size()));
}

std::vector<std::string> sbatch_command(const SlurmOptions& options, const JobDirectory& directory,
                                        const std::string& name, const std::filesystem::path& script) {
  std::vector<std::string> command = {"sbatch"};
  command.insert(command.end(), options.options.begin(), options.options.end());
  // --no-requeue: what runs again, and as which attempt, is the queue's to say.
  command.insert(command.end(),
                 {"--parsable", "--no-requeue", "--job-name=" + name, "--chdir=" + directory.path().string(),
                  "--output=" + without_patterns(directory.log().string()), "--open-mode=append"});
  if (options.tasks > 1) command.push_back(fmt::format("--ntasks={}", options.tasks));
  command.push_back(script.string());
  return command;
}

std::string parse_sbatch(std::string_view output) {
  const std::string_view id = output.substr(0, output.find_first_of(";\n"));
  if (!is_number(id))
    throw data_corruption("sbatch: the number of a job was expected, found '{}'", output.substr(0, 200));
  return std::string(id);
}

std::string batch_script(const std::filesystem::path& hearth, const JobDirectory& directory, int attempt, int tasks) {
  const std::string worker =
      fmt::format("{} worker {} --attempt {}", quoted(hearth.string()), quoted(directory.path().string()), attempt);
  // As many threads as Slurm gave CPUs, also where it does not bind processes to them.
  if (tasks == 1)
    return "#!/bin/sh\nexport OMP_NUM_THREADS=\"${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-1}}\"\nexec " + worker +
           "\n";
  return fmt::format(
      "#!/bin/sh\nexport OMP_NUM_THREADS=\"${{SLURM_CPUS_PER_TASK:-1}}\"\n"
      "exec srun --ntasks={0} --cpus-per-task=\"$OMP_NUM_THREADS\" --kill-on-bad-exit=1 {1} --processes {0}\n",
      tasks, worker);
}

std::vector<std::string> stop_command(const SlurmJob& job, int tasks) {
  // Without --batch it is for the steps alone: srun itself, told to end, would end them at once.
  if (tasks > 1) return {"scancel", "--signal=TERM", job.id};
  return {"scancel", "--signal=TERM", "--batch", job.id};
}

std::vector<std::string> cancel_command(const SlurmJob& job) { return {"scancel", job.id}; }

void check_slurm_options(const std::vector<std::string>& options) {
  for (const std::string& option : options)
    if (!option.starts_with('-') || option == "--" || option == "-")
      throw invalid_argument(
          "slurm_options: '{}' is no option of sbatch; each is one text with its value, as --partition=cpu", option);
}

}  // namespace hearth
