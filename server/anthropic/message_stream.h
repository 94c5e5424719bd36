// An answer as Anthropic's events: message_start, then block after block (content_block_start, its deltas,
// content_block_stop), then message_delta and message_stop; pings between them.
#pragma once

#include "server/chat_answers.h"
#include "server/sse.h"

namespace hearth::anthropic {

class MessageStream {
 public:
  explicit MessageStream(BodyWriter& body) : writer_(body) {}

  // All return false when the client is gone.
  bool start(const nlohmann::ordered_json& message);
  // Any piece but the last.
  bool take(const ChatPiece& piece);
  // `stop`: of stop_of(); `usage`: of usage_of().
  bool finish(const nlohmann::ordered_json& stop, const nlohmann::ordered_json& usage);
  bool ping();
  // In place of what else would come.
  bool fail(const nlohmann::ordered_json& error);

 private:
  bool open(ChatPiece::Kind kind, const nlohmann::ordered_json& block);
  bool close();
  bool delta(const char* type, const char* field, const std::string& text);

  SseWriter writer_;
  std::optional<ChatPiece::Kind> open_;  // what the open block takes: kReasoning, kText or kArguments
  int index_ = -1;                       // of the open block, else of the last
};

}  // namespace hearth::anthropic
