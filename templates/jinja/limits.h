// What one rendering of a template may use up: with these bounds any template ends on any input, in bounded memory and
// stack.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::jinja {

struct Limits {
  uint64_t steps = 10'000'000;                 // nodes evaluated, elements visited, 16s of bytes scanned
  size_t allocated_bytes = size_t{512} << 20;  // of strings, containers and output made, in all
  size_t output_bytes = size_t{64} << 20;      // of the prompt
  int depth = 1000;                            // nested evaluations; the deepest takes about 2 MiB of stack
  size_t range_size = 100'000;                 // range(), as the reference's sandbox
};

}  // namespace hearth::jinja
