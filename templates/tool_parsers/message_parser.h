// From what a model writes to a message: its reasoning, its text and its calls of tools, each as soon as it is certain.
// Read byte by byte, so that the pieces say the same however the text was cut. Never fails: what looks like a call and
// is none is text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "templates/tool_parsers/call_format.h"

namespace hearth {

struct MessagePiece {
  enum class Kind { kReasoning, kText, kCall, kArguments };
  Kind kind = Kind::kText;
  std::string text = {};  // more of the reasoning, text or arguments; kCall: the function's name
  size_t call = 0;        // kCall, kArguments: calls come one after another
  std::string id = {};    // kCall: where the model gave it one
};

class MessageParser {
 public:
  // `tools`: OpenAI's, whose parameters say how arguments are to be read; null: none are looked for. `prompt`: what the
  // model goes on from.
  MessageParser(const MessageFormat& format, const nlohmann::ordered_json& tools, std::string_view prompt);
  ~MessageParser();
  MessageParser(MessageParser&&) noexcept;

  // What became certain with `text`, which is UTF-8.
  std::vector<MessagePiece> push(std::string_view text);
  // What was held back, at the end. `ended`: the model came to its end and was not cut off.
  std::vector<MessagePiece> finish(bool ended);

  // Those whose arguments are whole.
  size_t complete_calls() const;
  // Whether what comes now is reasoning.
  bool is_reasoning() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
