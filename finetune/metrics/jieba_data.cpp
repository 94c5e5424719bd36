#include "finetune/metrics/jieba_data.h"

#include <cstddef>
#include <cstring>

#include "runtime/base/error.h"

asm(".pushsection .rodata\n"
    ".balign 16\n"
    ".globl hearth_jieba_begin\n"
    "hearth_jieba_begin:\n"
    ".incbin \"" HEARTH_JIEBA_DATA
    "\"\n"
    ".globl hearth_jieba_end\n"
    "hearth_jieba_end:\n"
    ".popsection\n");

extern "C" const std::byte hearth_jieba_begin[], hearth_jieba_end[];

namespace hearth::metrics {
namespace {

// Takes the file's parts one after another; each is aligned for its type.
class Parts {
 public:
  template <class Value>
  std::span<const Value> next(size_t count) {
    const std::span<const Value> part(reinterpret_cast<const Value*>(at_), count);
    at_ += part.size_bytes();
    return part;
  }
  void pad() { at_ += -static_cast<size_t>(at_ - hearth_jieba_begin) % 8; }
  bool at_end() const { return at_ == hearth_jieba_end; }

 private:
  const std::byte* at_ = hearth_jieba_begin;
};

JiebaData read() {
  JiebaData data;
  Parts parts;
  data.total = parts.next<uint64_t>(1)[0];
  const std::span<const uint32_t> counts = parts.next<uint32_t>(4);
  data.begins = parts.next<uint32_t>(counts[0] + 1);
  data.frequencies = parts.next<uint32_t>(counts[0]);
  const std::span<const char16_t> characters = parts.next<char16_t>(counts[1]);
  data.characters = {characters.data(), characters.size()};
  parts.pad();
  data.start = parts.next<StateScores>(1)[0];
  data.transition = parts.next<StateScores>(4);
  const std::span<const char16_t> emitting = parts.next<char16_t>(counts[2]);
  data.emitting = {emitting.data(), emitting.size()};
  parts.pad();
  data.emission = parts.next<StateScores>(counts[2]);
  HEARTH_CHECK(parts.at_end());
  return data;
}

}  // namespace

const JiebaData& jieba_data() {
  static const JiebaData data = read();
  return data;
}

}  // namespace hearth::metrics
