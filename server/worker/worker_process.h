// What a worker's process has besides its job: a sign of life, a daemon that it outlives by a step at most, and the
// last place in the line for CPUs and disks.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

namespace hearth {

// Touches a file every few seconds, for as long as it lives. Threads have priorities of their own: made before
// run_in_background(), it goes on when the job hardly gets a CPU.
class Heartbeat {
 public:
  explicit Heartbeat(std::filesystem::path file);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable change_;
  bool ends_ = false;
  std::thread thread_;
};

// Standard input, which the daemon holds the other end of.
// Waits for a line; false when it is closed before.
bool wait_for_go();
// From now on, when it is closed: ends the process at once while `saves` is false, and sets `stop` otherwise.
void end_with_input(std::atomic<bool>& stop, const std::atomic<bool>& saves);

// This thread and those that it will start get a CPU, or a disk, only when nobody else wants it.
void run_in_background();

}  // namespace hearth
