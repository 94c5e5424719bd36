// Text with calls in it, in every format but gpt-oss's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "templates/tool_parsers/call_body.h"
#include "templates/tool_parsers/mark_finder.h"

namespace hearth {

class MarkedCalls : public MessageReader {
 public:
  // `in_call`: the prompt ends with what begins a call.
  MarkedCalls(const CallFormat& format, const KnownTools& tools, bool in_call, MessageSink& sink);

  void read(char byte) override;
  void finish(bool ended) override;

 private:
  enum class State {
    kStart,  // of the answer: a call may come without a mark
    kText,
    kExpect,  // one of `expected_`, behind blanks
    kName,
    kId,
    kBody,
  };
  enum class Next { kCallBegin, kId, kNameEnd, kParameter, kCallEnd, kText };
  struct Expected {
    std::string mark;
    Next next;
  };

  bool is_behind_call() const;
  void expect(std::vector<Expected> marks);
  void expect_behind_call();
  void begin_section();
  void begin_call();
  void begin_body();
  void end_name();
  void go(Next next);
  void read_start(char byte);
  void read_text(char byte);
  void read_expected(char byte);
  void read_name(char byte);
  void read_body(char byte);
  void end_parameters();
  // What was read since the last mark is text.
  void give_up();
  void text_from_here();

  const CallFormat& format_;
  const KnownTools& tools_;
  MessageSink& sink_;
  MarkFinder finder_;
  std::vector<bool> begins_section_;  // by mark of the finder
  State state_ = State::kText;
  std::vector<Expected> expected_;
  std::string raw_;   // since the mark that may have begun a call
  std::string seen_;  // of what is expected
  std::string name_, id_;
  size_t calls_before_ = 0;  // when raw_ began
  bool is_behind_name_ = false, in_parameters_ = false, is_first_parameter_ = true;
  std::unique_ptr<CallBodyReader> body_;
};

}  // namespace hearth
