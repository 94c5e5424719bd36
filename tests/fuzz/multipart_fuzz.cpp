// Any bytes as the body of a form, cut anywhere: it is read or refused by hearth::Error, the parts are the same however
// the bytes were cut, and what is handed on was in the body.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/base/error.h"
#include "server/multipart.h"

namespace {

class Collector : public hearth::MultipartReceiver {
 public:
  void begin_part(const hearth::MultipartPart& part) override {
    parts += "<" + part.name + "|" + part.filename.value_or("-") + ">";
  }
  void part_data(std::string_view data) override {
    if (data.empty()) __builtin_trap();
    parts += data;
    bytes += data.size();
  }
  void end_part() override { parts += "</>"; }
  std::string parts;
  size_t bytes = 0;
};

// The parts, or "refused".
std::string parse(std::string_view text, size_t step) {
  Collector collector;
  try {
    hearth::MultipartParser parser("multipart/form-data; boundary=B", collector);
    for (size_t at = 0; at < text.size(); at += step) parser.feed(text.substr(at, step));
    parser.finish();
  } catch (const hearth::Error&) {
    return "refused";
  }
  if (collector.bytes > text.size()) __builtin_trap();
  return collector.parts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (parse(text, 1 + data[0]) != parse(text, text.size() + 1)) __builtin_trap();
  // The first bytes as the header that names the boundary.
  Collector collector;
  try {
    hearth::MultipartParser("multipart/form-data; " + std::string(text.substr(0, 200)), collector).feed(text);
  } catch (const hearth::Error&) {
    return 0;
  }
  return 0;
}
