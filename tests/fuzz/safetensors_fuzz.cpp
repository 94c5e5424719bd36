// The safetensors reader on any bytes: it reads the file or throws Error, and what it offers can be read.
#include <cstdint>

#include "tests/support/read_everything.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    hearth::test::read_everything(
        *hearth::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz.safetensors"));
  } catch (const hearth::Error& error) {
    if (error.code() == hearth::ErrorCode::kInternal) throw;
  }
  return 0;
}
