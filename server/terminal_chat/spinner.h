// A sign of life on a terminal while nothing can be printed yet. Does nothing where there is no terminal.
#pragma once

#include <string>
#include <thread>

namespace hearth {

class Spinner {
 public:
  // Draws `text` and a turning bar on stdout until stop().
  Spinner(std::string text, bool enabled);
  ~Spinner() { stop(); }
  Spinner(const Spinner&) = delete;
  Spinner& operator=(const Spinner&) = delete;

  // Wipes the line; further calls do nothing.
  void stop();

 private:
  std::jthread thread_;
};

}  // namespace hearth
