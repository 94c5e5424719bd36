#include "server/responses/response_pieces.h"

#include <string_view>

#include "runtime/base/error.h"
#include "server/logprobs_json.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
using Kind = ChatPiece::Kind;

constexpr std::string_view kNames[] = {"reasoning", "text", "call", "arguments", "finished"};  // by Kind

Kind kind_of(const std::string& name) {
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == name) return static_cast<Kind>(i);
  throw data_corruption("stored response: '{}' is no kind of piece", name);
}

}  // namespace

ResponsePiece response_piece(const ChatPiece& piece, bool with_logprobs) {
  ResponsePiece out{.kind = piece.kind, .text = piece.text, .call_id = piece.call_id};
  if (piece.kind == Kind::kFinished) out.text = piece.finish_reason;
  if (with_logprobs) out.logprobs = logprobs_json(piece.logprobs);
  return out;
}

Json pieces_json(const std::vector<ResponsePiece>& pieces) {
  Json out = Json::array();
  for (const ResponsePiece& piece : pieces) {
    Json entry = Json::array();
    entry.push_back(kNames[static_cast<size_t>(piece.kind)]);
    entry.push_back(piece.text);
    if (piece.kind == Kind::kCall) entry.push_back(piece.call_id);
    if (!piece.logprobs.empty()) entry.push_back(piece.logprobs);
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<ResponsePiece> pieces_of(const Json& json) {
  std::vector<ResponsePiece> pieces;
  for (const Json& entry : json) {
    ResponsePiece piece{.kind = kind_of(entry.at(0)), .text = entry.at(1)};
    if (piece.kind == Kind::kCall) piece.call_id = entry.at(2);
    if (piece.kind == Kind::kText && entry.size() > 2) piece.logprobs = entry[2];
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

}  // namespace hearth
