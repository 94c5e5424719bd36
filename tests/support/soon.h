// Waiting for what another thread does, without guessing how long that takes.
#pragma once

#include <chrono>
#include <thread>

namespace hearth::test {

// True as soon as the condition holds, false when it did not within that time.
template <class Condition>
bool soon(Condition condition, std::chrono::seconds within = std::chrono::seconds(60)) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace hearth::test
