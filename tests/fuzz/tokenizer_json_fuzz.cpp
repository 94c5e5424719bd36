// Any bytes as a tokenizer.json: it is read and encodes, or is refused with an Error that is not ours to answer for.
#include <cstdint>
#include <fstream>

#include "runtime/base/error.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tests/support/temporary_directory.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const hearth::test::TemporaryDirectory directory;
  std::ofstream(directory.path() / "tokenizer.json").write(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = hearth::load_tokenizer(directory.path());
    const std::vector<hearth::TokenId> ids = tokenizer->encode("<s> ab, é 😀 12\n\n  b's", {.add_special = true});
    (void)tokenizer->decode(ids);
  } catch (const hearth::Error& error) {
    if (error.code() == hearth::ErrorCode::kInternal) __builtin_trap();
  }
  return 0;
}
