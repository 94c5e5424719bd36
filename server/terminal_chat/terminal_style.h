// What may be written to stdout, after isatty, TERM and NO_COLOR (no-color.org).
#pragma once

namespace hearth {

struct TerminalStyle {
  bool interactive = false;  // stdin and stdout are terminals
  bool terminal = false;     // stdout is one: control characters of others must not reach it
  bool escapes = false;      // escape sequences are understood: not TERM=dumb
  bool colors = false;       // and attributes of text are welcome: no NO_COLOR
};
TerminalStyle terminal_style();

}  // namespace hearth
