// Markdown as it streams, made readable on a terminal: bold, italics, headings, code, list markers and quotes get SGR
// attributes, reasoning between <think> and </think> at the beginning is dim. Nothing but attributes is added: markers
// stay, so that without its escape sequences the output is the input, and what only looks like a marker is as it was.
// Works character by character, so the output does not depend on how the input is cut; at most a marker's characters
// are held back until the next one. Emphasis and code spans end with their line. After CommonMark 0.31, without links,
// tables and HTML, which are readable as they are.
#pragma once

#include <string>
#include <string_view>

namespace hearth {

class MarkdownStyler {
 public:
  // `piece`: what printable() returns. Returns what can be shown now.
  std::string push(std::string_view piece);
  // What was held back, and the end of all attributes.
  std::string finish();

 private:
  enum class State { kOpening, kReasoning, kLineStart, kText, kCodeSpan, kFenceInfo, kFenceLineStart, kFence };

  void take(char c);
  void take_opening(char c);
  void take_reasoning(char c);
  void take_line_start(char c);
  bool continues_marker(char c) const;
  bool take_whole_marker(char c);
  void take_text(char c);
  void take_code_span(char c);
  void take_fence_info(char c);
  void take_fence(char c);
  void end_run(char next);
  void replay(State state);
  void end_line();
  void emit(std::string_view text, unsigned style);
  unsigned text_style() const;

  State state_ = State::kOpening;
  std::string out_;
  std::string held_;            // a marker that may not be whole yet
  unsigned shown_ = 0;          // attributes of the terminal now
  std::string fence_;           // the opening fence
  size_t code_run_ = 0;         // backticks that opened the code span
  char bold_ = 0, italic_ = 0;  // the character that opened them, or 0
  bool heading_ = false, escaped_ = false;
  char previous_ = '\n';  // the character before a run of markers
};

}  // namespace hearth
