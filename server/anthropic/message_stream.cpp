#include "server/anthropic/message_stream.h"

#include "server/anthropic/message_object.h"

namespace hearth::anthropic {

using Json = nlohmann::ordered_json;
using Kind = ChatPiece::Kind;

bool MessageStream::start(const Json& message) {
  return writer_.typed_event("message_start", {{"type", "message_start"}, {"message", message}}) && ping();
}

bool MessageStream::take(const ChatPiece& piece) {
  switch (piece.kind) {
    case Kind::kReasoning:
      return open(Kind::kReasoning, thinking_block()) && delta("thinking_delta", "thinking", piece.text);
    case Kind::kText:
      return piece.text.empty() || (open(Kind::kText, text_block()) && delta("text_delta", "text", piece.text));
    case Kind::kCall:
      return close() && open(Kind::kArguments, tool_use_block(piece.call_id, piece.text));
    case Kind::kArguments:
      return delta("input_json_delta", "partial_json", piece.text);
    case Kind::kFinished:
      break;
  }
  return true;
}

bool MessageStream::finish(const Json& stop, const Json& usage) {
  return close() &&
         writer_.typed_event("message_delta", {{"type", "message_delta"}, {"delta", stop}, {"usage", usage}}) &&
         writer_.typed_event("message_stop", {{"type", "message_stop"}});
}

bool MessageStream::ping() { return writer_.typed_event("ping", {{"type", "ping"}}); }
bool MessageStream::fail(const Json& error) { return writer_.typed_event("error", error); }

bool MessageStream::open(Kind kind, const Json& block) {
  if (open_ == kind) return true;
  if (!close()) return false;
  open_ = kind;
  return writer_.typed_event("content_block_start",
                             {{"type", "content_block_start"}, {"index", ++index_}, {"content_block", block}});
}

bool MessageStream::close() {
  if (!open_) return true;
  // Clients take the block for whole when they have its signature.
  const bool is_signed = open_ != Kind::kReasoning || delta("signature_delta", "signature", "");
  open_.reset();
  return is_signed && writer_.typed_event("content_block_stop", {{"type", "content_block_stop"}, {"index", index_}});
}

bool MessageStream::delta(const char* type, const char* field, const std::string& text) {
  return writer_.typed_event(
      "content_block_delta",
      {{"type", "content_block_delta"}, {"index", index_}, {"delta", {{"type", type}, {field, text}}}});
}

}  // namespace hearth::anthropic
