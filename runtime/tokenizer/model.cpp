#include "runtime/tokenizer/model.h"

namespace hearth {
namespace {

constexpr size_t kKeptBytes = size_t{1} << 18;  // of each buffer

template <class Buffer>
void trim_buffer(Buffer& buffer) {
  if (buffer.capacity() * sizeof(buffer[0]) > kKeptBytes) buffer = Buffer();
}

}  // namespace

void Workspace::trim() {
  trim_buffer(symbols);
  trim_buffer(path);
  trim_buffer(heap);
  trim_buffer(pieces.ranges);
  trim_buffer(pieces.scratch);
  trim_buffer(pieces.storage);
  pieces.text = {};
}

}  // namespace hearth
