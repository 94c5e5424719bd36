// Any bytes as what a model wrote, in the format that the first byte picks: the same message whole and byte by byte,
// and no call that is said to be complete without arguments.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "templates/tool_parsers/message_parser.h"

namespace {

using hearth::MessagePiece;

// The message as one text.
std::string parse(const hearth::MessageFormat& format, std::string_view text, size_t cut) {
  static const auto kTools = nlohmann::ordered_json::parse(
      R"([{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}, "b": {}}}}}])");
  hearth::MessageParser parser(format, kTools, "");
  std::vector<std::string> calls;
  std::string reasoning, said;
  const auto take = [&](std::vector<MessagePiece> pieces) {
    for (const MessagePiece& piece : pieces) {
      if (piece.kind == MessagePiece::Kind::kCall) calls.push_back(piece.text + ":");
      if (piece.kind == MessagePiece::Kind::kArguments) calls.at(piece.call) += piece.text;
      if (piece.kind == MessagePiece::Kind::kReasoning) reasoning += piece.text;
      if (piece.kind == MessagePiece::Kind::kText) said += piece.text;
    }
  };
  for (; !text.empty(); text.remove_prefix(std::min(cut, text.size()))) take(parser.push(text.substr(0, cut)));
  take(parser.finish(true));
  if (parser.complete_calls() > calls.size()) __builtin_trap();
  std::string joined = reasoning + "|" + said;
  for (const std::string& call : calls) joined += "|" + call;
  return joined;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto formats = hearth::call_formats();
  hearth::MessageFormat format{.calls = &formats[data[0] % formats.size()]};
  if (data[0] >= 128) format.reasoning = {"<think>", "</think>"};
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (parse(format, text, text.size() + 1) != parse(format, text, 1)) __builtin_trap();
  return 0;
}
