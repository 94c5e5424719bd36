#include "server/interrupt.h"

#include <csignal>

namespace hearth {
namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

void on_interrupt(int) { interrupted.store(true); }

void install(int signal, int flags) {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

std::atomic<bool>& interrupt_flag() {
  static const bool installed = (install(SIGINT, 0), true);
  (void)installed;
  return interrupted;
}

std::atomic<bool>& stop_flag() {
  static const bool installed = (install(SIGINT, SA_RESETHAND), install(SIGTERM, SA_RESETHAND), true);
  (void)installed;
  return interrupted;
}

}  // namespace hearth
