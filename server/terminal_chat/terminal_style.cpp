#include "server/terminal_chat/terminal_style.h"

#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace hearth {

TerminalStyle terminal_style() {
  TerminalStyle style;
  style.terminal = ::isatty(STDOUT_FILENO) != 0;
  style.interactive = style.terminal && ::isatty(STDIN_FILENO) != 0;
  const char* term = std::getenv("TERM");
  style.escapes = style.terminal && term && *term && std::string_view(term) != "dumb";
  const char* no_color = std::getenv("NO_COLOR");
  style.colors = style.escapes && !(no_color && *no_color);
  return style;
}

}  // namespace hearth
