// The reader of pytorch_model.bin on any bytes: an archive, or (after a 'p') a pickle in a sound archive with three
// storages, since a mutation of a pickle seldom keeps the sizes of a zip. It reads the file or throws Error, and what
// it offers can be read.
#include <cstdint>
#include <string>

#include "tests/support/read_everything.h"
#include "tests/support/torch_image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string image(reinterpret_cast<const char*>(data), size);
  if (image.starts_with('p')) {
    const std::string storage(96, '\1');
    image = hearth::test::torch_image::zip(
        {{"m/data.pkl", image.substr(1)}, {"m/data/0", storage}, {"m/data/1", storage}, {"m/data/2", storage}});
  }
  try {
    hearth::test::read_everything(*hearth::TorchBinFile::parse(std::as_bytes(std::span(image)), "fuzz.bin"));
  } catch (const hearth::Error& error) {
    if (error.code() == hearth::ErrorCode::kInternal) throw;
  }
  return 0;
}
