// Any bytes as an answer on its way to a terminal, cut where the first byte says: the styled text is the same however
// it is cut, its attributes are the only escape sequences, and without them it is the printable text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/terminal_chat/markdown_styler.h"
#include "server/terminal_chat/printable.h"

namespace {

std::string styled(std::string_view text, size_t piece) {
  hearth::MarkdownStyler styler;
  std::string out;
  for (size_t i = 0; i < text.size(); i += piece) out += styler.push(text.substr(i, piece));
  return out + styler.finish();
}

// Traps for a sequence that is no SGR.
std::string without_attributes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\x1b') {
      out += text[i];
      continue;
    }
    const size_t end = text.find('m', i);
    if (end == std::string_view::npos ||
        text.substr(i, end - i).find_first_not_of("\x1b[0123456;") != std::string::npos)
      __builtin_trap();
    i = end;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text = hearth::printable({reinterpret_cast<const char*>(data) + 1, size - 1});
  const std::string whole = styled(text, text.size() + 1);
  if (whole != styled(text, data[0] % 16 + 1) || without_attributes(whole) != text) __builtin_trap();
  if (whole.find('\x1b') != std::string::npos && !text.empty() && whole.rfind("\x1b[0m") == std::string::npos)
    __builtin_trap();  // nothing stays bold
  return 0;
}
