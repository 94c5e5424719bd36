#include "server/interrupt.h"

#include <csignal>

namespace hearth {
namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

void on_interrupt(int) { interrupted.store(true); }

// A second signal, whichever it is, ends the process as if none were handled.
void on_stop(int number) {
  if (!interrupted.exchange(true)) return;
  std::signal(number, SIG_DFL);
  ::raise(number);
}

void install(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

std::atomic<bool>& interrupt_flag() {
  static const bool installed = (install(SIGINT, on_interrupt), true);
  (void)installed;
  return interrupted;
}

std::atomic<bool>& stop_flag() {
  static const bool installed = (install(SIGINT, on_stop), install(SIGTERM, on_stop), true);
  (void)installed;
  return interrupted;
}

}  // namespace hearth
