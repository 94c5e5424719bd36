// What is said to Slurm's commands, and what they answer (squeue(1), sbatch(1) of Slurm 22.05). No shell is between but
// that of the batch script.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "server/jobs/executor.h"

namespace hearth {

// A job as squeue lists it: also those that ended, for MinJobAge (5 minutes unless slurm.conf says otherwise).
struct SlurmJob {
  std::string id, state, reason, name;

  bool is_live() const;     // it runs, or may run yet, or its processes are being ended
  bool is_running() const;  // and signals reach it
  bool has_failed() const;  // by itself; nobody took it away
  std::string describe() const;
};

// Of this user, in all states.
std::vector<std::string> squeue_command();
// Throws kDataCorruption for what is no such list.
std::vector<SlurmJob> parse_squeue(std::string_view output);

// The attempts of a job by name; an attempt is found by it where the number that sbatch answered was lost.
std::string slurm_name(const std::string& job, int attempt);
bool is_slurm_name_of(const std::string& job, std::string_view name);

std::vector<std::string> sbatch_command(const SlurmOptions& options, const JobDirectory& directory,
                                        const std::string& name, const std::filesystem::path& script);
// "123", or "123;cluster". Throws kDataCorruption for anything else.
std::string parse_sbatch(std::string_view output);

std::string batch_script(const std::filesystem::path& hearth, const JobDirectory& directory, int attempt, int tasks);

// The signal that has a worker save and end; it reaches each process once.
std::vector<std::string> stop_command(const SlurmJob& job, int tasks);
std::vector<std::string> cancel_command(const SlurmJob& job);

// Those of `slurm_options` must be options. Throws kInvalidArgument.
void check_slurm_options(const std::vector<std::string>& options);

}  // namespace hearth
