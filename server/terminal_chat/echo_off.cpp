#include "server/terminal_chat/echo_off.h"

#include <unistd.h>

namespace hearth {

EchoOff::EchoOff(bool enabled) {
  termios settings{};
  if (!enabled || ::tcgetattr(STDIN_FILENO, &settings) != 0) return;
  before_ = settings;
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &settings);
}

EchoOff::~EchoOff() {
  if (before_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &*before_);
}

}  // namespace hearth
