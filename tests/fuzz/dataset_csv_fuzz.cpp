// Any bytes as a csv dataset: every row is an object of the header's columns, or is named with what is wrong.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "finetune/datasets/csv_rows.h"
#include "runtime/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto rows = hearth::open_csv_rows(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.csv");
    hearth::Row row;
    for (size_t count = 0; rows->next(row); ++count)
      if (count > size || (row.problem.empty() && row.value.empty())) __builtin_trap();
  } catch (const hearth::Error&) {
  }
  return 0;
}
