#include "templates/tool_parsers/marked_calls.h"

#include <algorithm>

namespace hearth {

MarkedCalls::MarkedCalls(const CallFormat& format, const KnownTools& tools, bool in_call, MessageSink& sink)
    : format_(format), tools_(tools), sink_(sink), finder_(format.text_marks(), true) {
  for (const std::string_view mark : {format.begin, format.tag, format.call_begin})
    if (!mark.empty()) begins_section_.push_back(mark != format.call_begin);
  if (in_call)
    begin_call();
  else if (format.is_bare())
    state_ = State::kStart;
}

void MarkedCalls::read(char byte) {
  if (state_ != State::kText) raw_ += byte;
  switch (state_) {
    case State::kStart:
      return read_start(byte);
    case State::kText:
      return read_text(byte);
    case State::kExpect:
      return read_expected(byte);
    case State::kName:
      return read_name(byte);
    case State::kId:
      if (is_name_char(byte))
        id_ += byte;
      else if (!is_blank(byte)) {
        expect({{std::string(bare_mark(format_.name_end)), Next::kNameEnd}});
        read_expected(byte);
      }
      return;
    case State::kBody:
      return read_body(byte);
  }
}

void MarkedCalls::finish(bool ended) {
  if (ended && in_parameters_ && state_ == State::kExpect && seen_.empty()) end_parameters();
  if (state_ == State::kText) {
    // Blanks alone beside calls are none of the answer's text.
    std::string held = finder_.take_held();
    if (sink_.calls() > 0 && std::ranges::all_of(held, is_blank)) held.clear();
    sink_.text(held);
  } else if (sink_.calls() == calls_before_ && !is_behind_call()) {
    sink_.text(raw_);
  }
}

// Where nothing but blanks and the beginning of a mark has come since a call.
bool MarkedCalls::is_behind_call() const {
  const size_t behind_blanks = std::min(raw_.size(), raw_.find_first_not_of(" \n\t\r"));
  return state_ == State::kExpect && sink_.calls() > 0 && raw_.substr(behind_blanks) == seen_;
}

void MarkedCalls::expect(std::vector<Expected> marks) {
  std::erase_if(marks, [](const Expected& expected) { return expected.mark.empty(); });
  expected_ = std::move(marks);
  seen_.clear();
  state_ = State::kExpect;
}

void MarkedCalls::expect_behind_call() {
  std::vector<Expected> marks = {{std::string(bare_mark(format_.call_end)), Next::kCallEnd},
                                 {std::string(bare_mark(format_.end)), Next::kText},
                                 {std::string(bare_mark(format_.call_begin)), Next::kCallBegin}};
  if (in_parameters_) {
    marks.push_back({std::string(bare_mark(format_.key_begin)), Next::kParameter});
  } else {
    marks.push_back({",", Next::kCallEnd});
    marks.push_back({";", Next::kCallEnd});
    raw_.clear();
    calls_before_ = sink_.calls();
  }
  expect(std::move(marks));
}

void MarkedCalls::begin_section() {
  if (format_.call_begin.empty()) return begin_call();
  expect({{std::string(bare_mark(format_.call_begin)), Next::kCallBegin},
          {std::string(bare_mark(format_.end)), Next::kText}});
}

void MarkedCalls::begin_call() {
  calls_before_ = sink_.calls();
  name_.clear();
  id_.clear();
  const bool has_name = format_.body != CallBody::kJson && format_.body != CallBody::kPython;
  if (has_name)
    state_ = State::kName;
  else
    begin_body();
}

void MarkedCalls::begin_body() {
  state_ = State::kBody;
  const bool only_known = format_.is_bare();
  if (format_.body == CallBody::kJson)
    body_ = json_calls(format_, tools_, only_known, sink_);
  else if (format_.body == CallBody::kPython)
    body_ = python_calls(tools_, only_known, sink_);
  else if (format_.body == CallBody::kGemma4)
    body_ = gemma4_arguments(name_, sink_);
  else
    body_ = json_arguments(name_, id_, sink_);
}

void MarkedCalls::end_name() {
  if (!format_.text_name.empty() && name_ == format_.text_name) return text_from_here();
  if (format_.body != CallBody::kParameters) return begin_body();
  sink_.call(name_, id_);
  in_parameters_ = is_first_parameter_ = true;
  expect_behind_call();
}

void MarkedCalls::go(Next next) {
  // Some models leave the end of a name out.
  if (std::exchange(is_behind_name_, false) && (next == Next::kParameter || next == Next::kCallEnd)) end_name();
  const bool ends_call = next == Next::kCallEnd || next == Next::kCallBegin || next == Next::kText;
  if (in_parameters_ && ends_call) end_parameters();
  switch (next) {
    case Next::kCallBegin:
      raw_ = std::string(bare_mark(format_.call_begin));
      return begin_call();
    case Next::kId:
      state_ = State::kId;
      return;
    case Next::kNameEnd:
      return end_name();
    case Next::kParameter:
      body_ = parameter(format_, tools_.parameters(name_), std::exchange(is_first_parameter_, false), sink_);
      state_ = State::kBody;
      return;
    case Next::kCallEnd:
      return expect_behind_call();
    case Next::kText:
      return text_from_here();
  }
}

void MarkedCalls::read_start(char byte) {
  if (is_blank(byte)) return;
  const std::string_view tag = bare_mark(format_.tag);
  if (!tag.empty() && tag.front() == byte) {
    raw_.pop_back();  // the byte, behind blanks
    sink_.text(std::exchange(raw_, {}));
    state_ = State::kText;
    return read_text(byte);
  }
  begin_call();
  state_ == State::kName ? read_name(byte) : read_body(byte);
}

void MarkedCalls::read_text(char byte) {
  std::string text;
  const std::optional<size_t> mark = finder_.read(byte, text);
  // Blanks between calls and text are none of it.
  if (sink_.calls() > 0 && !sink_.has_text()) text.erase(0, std::min(text.size(), text.find_first_not_of(" \n\t\r")));
  sink_.text(text);
  if (!mark) return;
  raw_ = format_.text_marks()[*mark];
  begins_section_[*mark] ? begin_section() : begin_call();
}

void MarkedCalls::read_expected(char byte) {
  if (seen_.empty() && is_blank(byte)) return;
  seen_ += byte;
  bool may_come = false;
  for (const Expected& expected : expected_) {
    if (expected.mark == seen_) {
      seen_.clear();
      return go(expected.next);
    }
    may_come = may_come || expected.mark.starts_with(seen_);
  }
  if (may_come) return;
  // Without marks around each, calls follow each other.
  if (seen_ == "{" && format_.body == CallBody::kJson && format_.call_begin.empty() && sink_.calls() > 0) {
    raw_.assign(1, '{');
    begin_call();
    return read_body('{');
  }
  give_up();
}

void MarkedCalls::read_name(char byte) {
  if (name_.empty() && is_blank(byte)) return;
  if (is_name_char(byte)) {
    name_ += byte;
    return;
  }
  constexpr std::string_view kNamespace = "functions.";
  if (name_.starts_with(kNamespace)) name_.erase(0, kNamespace.size());
  if (name_.empty() || (format_.is_bare() && !tools_.has(name_))) return give_up();
  const std::string name_end(bare_mark(format_.name_end));
  if (!name_end.empty()) {
    std::vector<Expected> marks = {{name_end, Next::kNameEnd}, {std::string(bare_mark(format_.id_begin)), Next::kId}};
    if (format_.body == CallBody::kParameters) {
      marks.push_back({std::string(bare_mark(format_.key_begin)), Next::kParameter});
      marks.push_back({std::string(bare_mark(format_.call_end)), Next::kCallEnd});
    }
    expect(std::move(marks));
    is_behind_name_ = true;
    return read_expected(byte);
  }
  end_name();
  if (state_ == State::kText) return;
  state_ == State::kExpect ? read_expected(byte) : read_body(byte);
}

void MarkedCalls::read_body(char byte) {
  switch (body_->read(byte)) {
    case ReadStep::kMore:
      return;
    case ReadStep::kDone:
      return expect_behind_call();
    case ReadStep::kDoneBefore:
      expect_behind_call();
      return read_expected(byte);
    case ReadStep::kFail:
      return give_up();
  }
}

void MarkedCalls::end_parameters() {
  sink_.arguments(is_first_parameter_ ? "{}" : "}");
  sink_.complete_call();
  in_parameters_ = false;
}

void MarkedCalls::give_up() {
  // Of a call that was told already, only what does not belong to it is left.
  const bool was_told = sink_.calls() > calls_before_;
  if (in_parameters_) end_parameters();
  const std::string text = was_told ? seen_ : raw_;
  text_from_here();
  sink_.text(text);
}

void MarkedCalls::text_from_here() {
  body_.reset();
  raw_.clear();
  seen_.clear();
  in_parameters_ = is_behind_name_ = false;
  state_ = State::kText;
}

}  // namespace hearth
