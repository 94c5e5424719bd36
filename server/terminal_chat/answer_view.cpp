#include "server/terminal_chat/answer_view.h"

#include <cstdio>
#include <string>

#include "server/terminal_chat/printable.h"

namespace hearth {

void write_out(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

AnswerView::AnswerView(const TerminalStyle& style)
    : style_(style), echo_off_(style.interactive), spinner_("thinking", style.interactive && style.colors) {
  if (style.colors) markdown_.emplace();
}

void AnswerView::show(std::string_view piece) {
  spinner_.stop();
  if (piece.empty()) return;
  fresh_line_ = piece.back() == '\n';
  if (!style_.terminal) return write_out(piece);
  const std::string text = printable(piece);
  write_out(markdown_ ? markdown_->push(text) : text);
}

void AnswerView::end() {
  if (ended_) return;
  ended_ = true;
  spinner_.stop();
  if (markdown_) write_out(markdown_->finish());
  if (!fresh_line_) write_out("\n");
}

}  // namespace hearth
