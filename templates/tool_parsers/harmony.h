// gpt-oss's messages: each has a channel (analysis, commentary, final) and perhaps a recipient, a function.
#pragma once

#include <string>

#include "templates/tool_parsers/call_body.h"
#include "templates/tool_parsers/mark_finder.h"

namespace hearth {

class HarmonyReader : public MessageReader {
 public:
  // Begins behind "<|start|>assistant".
  explicit HarmonyReader(MessageSink& sink);

  void read(char byte) override;
  void finish(bool ended) override;
  bool is_reasoning() const { return in_body_ ? kind_ == Kind::kReasoning : header_.find("analysis") != header_.npos; }

 private:
  enum class Kind { kReasoning, kText, kCall };

  void read_header(char byte);
  void begin_body();
  void put(const std::string& text);

  MessageSink& sink_;
  MarkFinder header_end_, body_end_;
  std::string header_;
  bool in_body_ = false, has_mark_ = false;
  Kind kind_ = Kind::kText;
  JsonValueEnd arguments_end_;
  bool arguments_done_ = false;
};

}  // namespace hearth
