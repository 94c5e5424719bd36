#include "server/terminal_chat/spinner.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>

#include <fmt/format.h>

namespace hearth {

Spinner::Spinner(std::string text, bool enabled) {
  if (!enabled) return;
  thread_ = std::jthread([text = std::move(text)](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any ended;
    std::unique_lock lock(mutex);
    for (int turn = 0; !ended.wait_for(lock, stop, std::chrono::milliseconds(120), [] { return false; }); ++turn) {
      if (stop.stop_requested()) break;
      fmt::print(stdout, "\r\x1b[K\x1b[2m{} {}\x1b[0m", "|/-\\"[turn % 4], text);
      std::fflush(stdout);
    }
    fmt::print(stdout, "\r\x1b[K");
    std::fflush(stdout);
  });
}

void Spinner::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

}  // namespace hearth
