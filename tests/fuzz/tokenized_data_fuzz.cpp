// The reader of tokenised data on any bytes: it reads the file or throws Error.
#include <cstdint>

#include "finetune/encoding/tokenized_data.h"
#include "runtime/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    hearth::parse_tokenized(std::as_bytes(std::span(data, size)), "fuzz.bin", {}, 1000);
  } catch (const hearth::Error& error) {
    if (error.code() == hearth::ErrorCode::kInternal) throw;
  }
  return 0;
}
