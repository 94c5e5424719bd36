// One answer as it is shown: a spinner until its first word; then on a terminal what printable() leaves of it, styled
// as Markdown where that is welcome, and elsewhere the bytes as they are.
#pragma once

#include <optional>
#include <string_view>

#include "server/terminal_chat/echo_off.h"
#include "server/terminal_chat/markdown_styler.h"
#include "server/terminal_chat/spinner.h"
#include "server/terminal_chat/terminal_style.h"

namespace hearth {

class AnswerView {
 public:
  explicit AnswerView(const TerminalStyle& style);
  ~AnswerView() { end(); }
  AnswerView(const AnswerView&) = delete;
  AnswerView& operator=(const AnswerView&) = delete;

  // `piece`: whole UTF-8 characters.
  void show(std::string_view piece);
  // Ends attributes and the line; further calls do nothing.
  void end();

 private:
  const TerminalStyle style_;
  EchoOff echo_off_;
  Spinner spinner_;
  std::optional<MarkdownStyler> markdown_;
  bool ended_ = false, fresh_line_ = true;  // nothing of the answer is on the last line
};

// Writes and flushes.
void write_out(std::string_view text);

}  // namespace hearth
