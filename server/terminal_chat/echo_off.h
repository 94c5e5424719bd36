// While an answer comes, what the user types is kept for the next prompt and not written into the answer.
#pragma once

#include <optional>

#include <termios.h>

namespace hearth {

class EchoOff {
 public:
  // Does nothing unless `enabled`, and where stdin is no terminal. Ctrl-C stays a signal.
  explicit EchoOff(bool enabled);
  ~EchoOff();
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

 private:
  std::optional<termios> before_;
};

}  // namespace hearth
