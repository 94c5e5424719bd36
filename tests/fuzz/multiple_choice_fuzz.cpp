// The archive of a multiple-choice task on any bytes: every entry unpacks to what its directory says or is refused, and
// is then read as questions; so are the bytes themselves, since a mutation seldom keeps a checksum.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "finetune/multiple_choice/questions.h"
#include "runtime/base/error.h"
#include "runtime/io/zip_archive.h"

namespace {

constexpr uint64_t kMostBytes = 1 << 20;

template <class Act>
void expect_errors_of_files(Act act) {
  try {
    act();
  } catch (const hearth::Error& error) {
    if (error.code() != hearth::ErrorCode::kDataCorruption) __builtin_trap();
  }
}

void read(std::string_view csv) {
  expect_errors_of_files([&] {
    for (const hearth::ChoiceQuestion& question : hearth::read_questions(csv, "q.csv"))
      if (question.answer >= hearth::kLetters.size()) __builtin_trap();
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  expect_errors_of_files([&] {
    for (const auto& [name, entry] : hearth::read_zip(std::as_bytes(std::span(bytes)), "q.zip"))
      expect_errors_of_files([&, &one = entry] {
        const std::string csv = hearth::unpack(one, kMostBytes, "q.zip: entry");
        if (csv.size() != one.size) __builtin_trap();
        read(csv);
      });
  });
  return 0;
}
