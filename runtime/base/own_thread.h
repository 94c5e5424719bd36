// Work that computes, on a thread that ends with it.
#pragma once

#include <future>
#include <utility>

namespace hearth {

// Calls fn() on a thread of its own and returns what it does. A thread that computes keeps its share of the pool for as
// long as it lives, and libgomp's threads only spin between regions while all of them together are no more than there
// are CPUs: one that is done must not stay, or every region of all others begins and ends with a system call.
template <class Fn>
auto on_own_thread(Fn&& fn) {
  return std::async(std::launch::async, std::forward<Fn>(fn)).get();
}

}  // namespace hearth
