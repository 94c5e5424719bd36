#include "server/terminal_chat/markdown_styler.h"

#include <cctype>
#include <utility>

namespace hearth {
namespace {

enum Style : unsigned { kPlain = 0, kBold = 1, kDim = 2, kItalic = 4, kCode = 8 };
constexpr std::pair<Style, std::string_view> kAttributes[] = {
    {kBold, ";1"}, {kDim, ";2"}, {kItalic, ";3"}, {kCode, ";36"}};  // cyan reads on dark and on light

constexpr std::string_view kThink = "<think>", kThinkEnd = "</think>";
constexpr size_t kMaxHeading = 6, kMinFence = 3, kMaxDigits = 9;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_punctuation(char c) { return static_cast<unsigned char>(c) < 0x80 && std::ispunct(c) != 0; }
bool is_word(char c) { return !is_space(c) && !is_punctuation(c); }

// Whether a run of '*' or '_' between two characters may begin or end emphasis (CommonMark's flanking).
bool may_open(char run, char before, char after) {
  if (is_space(after) || (is_punctuation(after) && is_word(before))) return false;
  return run == '*' || !is_word(before);
}
bool may_close(char run, char before, char after) {
  if (is_space(before) || (is_punctuation(before) && is_word(after))) return false;
  return run == '*' || !is_word(after);
}

}  // namespace

std::string MarkdownStyler::push(std::string_view piece) {
  for (const char c : piece) take(c);
  return std::exchange(out_, {});
}

std::string MarkdownStyler::finish() {
  take('\n');  // ends whatever is open, and the attributes before it
  out_.pop_back();
  return std::exchange(out_, {});
}

void MarkdownStyler::take(char c) {
  switch (state_) {
    case State::kOpening:
      return take_opening(c);
    case State::kReasoning:
      return take_reasoning(c);
    case State::kLineStart:
      return take_line_start(c);
    case State::kText:
      return take_text(c);
    case State::kCodeSpan:
      return take_code_span(c);
    case State::kFenceInfo:
      return take_fence_info(c);
    case State::kFenceLineStart:
    case State::kFence:
      return take_fence(c);
  }
}

void MarkdownStyler::take_opening(char c) {
  if (held_.empty() && is_space(c)) return emit({&c, 1}, kPlain);
  if (c != kThink[held_.size()]) {
    replay(State::kLineStart);
    return take(c);
  }
  held_ += c;
  if (held_ != kThink) return;
  emit(std::exchange(held_, {}), kDim);
  state_ = State::kReasoning;
}

void MarkdownStyler::take_reasoning(char c) {
  if (c != kThinkEnd[held_.size()]) {
    emit(std::exchange(held_, {}), kDim);
    if (c != kThinkEnd[0]) return emit({&c, 1}, c == '\n' ? kPlain : kDim);
  }
  held_ += c;
  if (held_ != kThinkEnd) return;
  emit(std::exchange(held_, {}), kDim);
  state_ = State::kLineStart;
}

bool MarkdownStyler::continues_marker(char c) const {
  switch (held_.empty() ? c : held_[0]) {
    case '#':
      return c == '#' && held_.size() < kMaxHeading;
    case '`':
    case '~':
      return held_.empty() || c == held_[0];
    case '-':
    case '+':
    case '*':
      return held_.empty();
    default:
      break;
  }
  if (held_.empty()) return is_digit(c);
  return is_digit(held_.back()) && (c == '.' || c == ')' || (is_digit(c) && held_.size() < kMaxDigits));
}

// The marker before `c`, if there is one: then it is written, and `c` remains to be taken.
bool MarkdownStyler::take_whole_marker(char c) {
  const char first = held_[0];
  if ((first == '`' || first == '~') && held_.size() >= kMinFence) {
    fence_ = held_;
    emit(std::exchange(held_, {}), kDim);
    state_ = State::kFenceInfo;
    return true;
  }
  if (c != ' ' && c != '\t') return false;
  if (first == '#') {
    emit(std::exchange(held_, {}), kDim);
    heading_ = true;
    state_ = State::kText;
    return true;
  }
  const bool numbered = is_digit(first) && !is_digit(held_.back());
  if (!numbered && first != '-' && first != '+' && first != '*') return false;
  emit(std::exchange(held_, {}), kBold);  // and a list item begins as a line does
  return true;
}

void MarkdownStyler::take_line_start(char c) {
  if (continues_marker(c)) {
    held_ += c;
    return;
  }
  if (!held_.empty()) {
    if (!take_whole_marker(c)) replay(State::kText);
    return take(c);
  }
  if (c == '\n') return end_line();
  if (is_space(c)) return emit({&c, 1}, kPlain);
  if (c == '>') return emit({&c, 1}, kDim);
  state_ = State::kText;
  previous_ = ' ';
  take(c);
}

void MarkdownStyler::take_text(char c) {
  if (!held_.empty() && c == held_[0]) {
    held_ += c;
    return;
  }
  if (!held_.empty()) {
    end_run(c);
    return take(c);
  }
  if (c == '\n') return end_line();
  const bool marker = (c == '*' || c == '_' || c == '`') && !escaped_;
  if (marker) {
    held_ = c;
    return;
  }
  escaped_ = c == '\\' && !escaped_;
  emit({&c, 1}, text_style());
  previous_ = c;
}

// The run of '*', '_' or '`' in held_ is whole, as `next` comes after it.
void MarkdownStyler::end_run(char next) {
  const std::string run = std::exchange(held_, {});
  const char c = run[0];
  if (c == '`') {
    code_run_ = run.size();
    emit(run, kDim);
    state_ = State::kCodeSpan;
    return;
  }
  const bool opens = may_open(c, previous_, next), closes = may_close(c, previous_, next);
  bool marker = false;
  // A run of three is of both; what is open is closed first.
  const auto toggle = [&](char& open) {
    if (open == c ? closes : open == 0 && opens) {
      open = open == c ? '\0' : c;
      marker = true;
    }
  };
  if (run.size() == 2 || run.size() == 3) toggle(bold_);
  if (run.size() == 1 || run.size() == 3) toggle(italic_);
  emit(run, marker ? kDim : text_style());
  previous_ = c;
}

void MarkdownStyler::take_code_span(char c) {
  if (c == '`') {
    held_ += c;
    return;
  }
  if (held_.size() == code_run_) {
    emit(std::exchange(held_, {}), kDim);
    state_ = State::kText;
    previous_ = '`';
    return take(c);
  }
  emit(std::exchange(held_, {}), kCode);
  if (c == '\n') return end_line();
  emit({&c, 1}, kCode);
}

void MarkdownStyler::take_fence_info(char c) {
  if (c == '\n') {
    emit("\n", kPlain);
    state_ = State::kFenceLineStart;
  } else if (c == '`' && fence_[0] == '`') {  // a code span of one line between three backticks
    code_run_ = fence_.size();
    held_ = c;
    state_ = State::kCodeSpan;
  } else {
    emit({&c, 1}, kDim);
  }
}

void MarkdownStyler::take_fence(char c) {
  // A line that is a closing fence: the run and perhaps spaces after it.
  const size_t run = held_.find_last_not_of(" \t") + 1;
  const bool run_goes_on = c == fence_[0] && run == held_.size();
  if (state_ == State::kFenceLineStart && (run_goes_on || (run > 0 && c != '\n' && is_space(c)))) {
    held_ += c;
    return;
  }
  if (run >= fence_.size() && c == '\n') {
    emit(std::exchange(held_, {}), kDim);
    return end_line();
  }
  emit(std::exchange(held_, {}), kCode);
  if (!is_space(c)) state_ = State::kFence;
  if (c == '\n') state_ = State::kFenceLineStart;
  emit({&c, 1}, c == '\n' ? kPlain : kCode);
}

// held_ was no marker of the state before.
void MarkdownStyler::replay(State state) {
  state_ = state;
  previous_ = ' ';
  for (const char c : std::exchange(held_, {})) take(c);
}

void MarkdownStyler::end_line() {
  emit("\n", kPlain);
  state_ = State::kLineStart;
  bold_ = italic_ = 0;
  heading_ = escaped_ = false;
}

unsigned MarkdownStyler::text_style() const {
  return (bold_ || heading_ ? kBold : kPlain) | (italic_ ? kItalic : kPlain);
}

void MarkdownStyler::emit(std::string_view text, unsigned style) {
  if (text.empty()) return;
  if (style != shown_) {
    out_ += "\x1b[0";
    for (const auto& [bit, attribute] : kAttributes)
      if ((style & bit) != 0) out_ += attribute;
    out_ += 'm';
    shown_ = style;
  }
  out_ += text;
}

}  // namespace hearth
