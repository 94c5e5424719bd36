// Commands that answer within a bounded time or are ended: what asks a service that may hang must not hang with it.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace hearth {

struct CommandEnd {
  std::optional<int> exit_code;  // nothing: it was ended, or could not be started
  std::string output, errors;    // errors: also ours, where there is no exit code

  bool succeeded() const { return exit_code == 0; }
};

// One command at a time. A command that runs when the thread that called run() dies is ended with it.
class BoundedCommand {
 public:
  static bool is_installed(const std::string& program);
  // arguments[0]: a program on PATH. Without a shell, with nothing on standard input.
  CommandEnd run(const std::vector<std::string>& arguments, std::chrono::milliseconds patience);
  // From another thread, for good: ends the command that runs, and all later ones at once.
  void stop();

 private:
  std::mutex mutex_;
  bool stopped_ = false;
  boost::asio::io_context* running_ = nullptr;
};

}  // namespace hearth
