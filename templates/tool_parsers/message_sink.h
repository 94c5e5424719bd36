// Where the readers of a message put what they have found.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "templates/tool_parsers/message_parser.h"

namespace hearth {

class MessageSink {
 public:
  void reasoning(std::string_view text) { add({.kind = MessagePiece::Kind::kReasoning, .text = std::string(text)}); }
  void text(std::string_view text) {
    has_text_ = has_text_ || !text.empty();
    add({.text = std::string(text)});
  }
  void call(std::string name, std::string id = {}) {
    pieces_.push_back(
        {.kind = MessagePiece::Kind::kCall, .text = std::move(name), .call = calls_++, .id = std::move(id)});
  }
  // Of the last call.
  void arguments(std::string_view text) {
    add({.kind = MessagePiece::Kind::kArguments, .text = std::string(text), .call = calls_ - 1});
  }
  void complete_call() { complete_ = calls_; }

  std::vector<MessagePiece> take() { return std::exchange(pieces_, {}); }
  size_t calls() const { return calls_; }
  size_t complete_calls() const { return complete_; }
  bool has_text() const { return has_text_; }

 private:
  void add(MessagePiece piece) {
    if (piece.text.empty()) return;
    if (!pieces_.empty() && pieces_.back().kind == piece.kind && pieces_.back().call == piece.call)
      pieces_.back().text += piece.text;
    else
      pieces_.push_back(std::move(piece));
  }

  std::vector<MessagePiece> pieces_;
  size_t calls_ = 0, complete_ = 0;
  bool has_text_ = false;
};

// One way to read messages.
class MessageReader {
 public:
  virtual ~MessageReader() = default;
  virtual void read(char byte) = 0;
  virtual void finish(bool ended) = 0;
};

}  // namespace hearth
