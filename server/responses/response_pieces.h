// What a model answered, piece by piece, in the shape in which it is kept: writing the same pieces again gives the same
// events (server/responses/response_writer.h), so that a stream can be replayed without a copy of all its objects.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/chat_answers.h"

namespace hearth {

struct ResponsePiece {
  ChatPiece::Kind kind = ChatPiece::Kind::kText;
  std::string text = {};                                              // as ChatPiece's; kFinished: the reason
  std::string call_id = {};                                           // kCall
  nlohmann::ordered_json logprobs = nlohmann::ordered_json::array();  // kText
};

ResponsePiece response_piece(const ChatPiece& piece, bool with_logprobs);

// [["text", "Hello"], ["call", NAME, ID], ["arguments", "{}"], ["finished", "stop"]]
nlohmann::ordered_json pieces_json(const std::vector<ResponsePiece>& pieces);
std::vector<ResponsePiece> pieces_of(const nlohmann::ordered_json& json);

}  // namespace hearth
