#include "server/responses/response_writer.h"

#include <utility>

#include "server/responses/response_object.h"

namespace hearth {
namespace {

using Kind = ChatPiece::Kind;

constexpr std::string_view kMessage = "message", kReasoning = "reasoning", kCall = "function_call";

}  // namespace

ResponseWriter::ResponseWriter(Json response, Sink sink, NewId new_id)
    : response_(std::move(response)), sink_(std::move(sink)), new_id_(std::move(new_id)) {}

void ResponseWriter::begin() {
  emit("response.created", {{"response", response_}});
  if (response_["status"] == "queued") emit("response.queued", {{"response", response_}});
  response_["status"] = "in_progress";
  emit("response.in_progress", {{"response", response_}});
}

void ResponseWriter::take(const ResponsePiece& piece) {
  switch (piece.kind) {
    case Kind::kReasoning:
    case Kind::kText:
      add_text(piece);
      break;
    case Kind::kCall:
      close("completed");
      open({{"type", kCall}, {"call_id", piece.call_id}, {"name", piece.text}, {"arguments", ""}}, "fc_");
      break;
    case Kind::kArguments:
      text_ += piece.text;
      emit_of_item("response.function_call_arguments.delta", {{"delta", piece.text}});
      break;
    case Kind::kFinished:
      if (output_.empty() && item_.is_null()) open_texts(kMessage);  // an answer without a word is an empty message
      close(piece.text == "length" ? "incomplete" : "completed");
      break;
  }
}

void ResponseWriter::stop() { close("incomplete"); }

void ResponseWriter::end(const Json& response) {
  const std::string status = response.at("status");
  if (status == "failed")
    emit("error", {{"code", response["error"]["code"]}, {"message", response["error"]["message"]}, {"param", nullptr}});
  // There is no event of its own for a cancelled response; an incomplete one is what it is.
  emit(status == "cancelled" ? "response.incomplete" : "response." + status, {{"response", response}});
}

void ResponseWriter::emit(std::string_view type, const Json& fields) {
  Json event = {{"type", type}, {"sequence_number", sequence_number_++}};
  event.update(fields);
  sink_(event);
}

void ResponseWriter::emit_of_item(std::string_view type, const Json& fields) {
  Json event = {{"item_id", item_["id"]}, {"output_index", output_.size()}};
  event.update(fields);
  emit(type, event);
}

void ResponseWriter::emit_of_part(std::string_view type, const Json& fields) {
  Json event = {{"content_index", 0}};
  event.update(fields);
  emit_of_item(type, event);
}

bool ResponseWriter::is_open(std::string_view type) const { return !item_.is_null() && item_["type"] == type; }

void ResponseWriter::open(const Json& item, std::string_view prefix) {
  item_ = {{"id", new_id_(prefix)}, {"status", "in_progress"}};
  item_.update(item);
  text_.clear();
  logprobs_ = Json::array();
  emit("response.output_item.added", {{"output_index", output_.size()}, {"item", item_}});
}

void ResponseWriter::open_texts(std::string_view type) {
  if (type == kMessage)
    open({{"type", kMessage}, {"role", "assistant"}, {"content", Json::array()}}, "msg_");
  else
    open({{"type", kReasoning}, {"summary", Json::array()}, {"content", Json::array()}}, "rs_");
  emit_of_part("response.content_part.added", {{"part", part()}});
}

void ResponseWriter::add_text(const ResponsePiece& piece) {
  if (piece.text.empty() && piece.logprobs.empty()) return;
  const bool is_text = piece.kind == Kind::kText;
  const std::string_view type = is_text ? kMessage : kReasoning;
  if (!is_open(type)) {
    close("completed");
    open_texts(type);
  }
  text_ += piece.text;
  if (!is_text) {
    emit_of_part("response.reasoning_text.delta", {{"delta", piece.text}});
    return;
  }
  for (const Json& token : piece.logprobs) logprobs_.push_back(token);
  emit_of_part("response.output_text.delta", {{"delta", piece.text}, {"logprobs", piece.logprobs}});
}

void ResponseWriter::close(std::string_view status) {
  if (item_.is_null()) return;
  if (is_open(kCall)) {
    item_["arguments"] = text_;
    emit_of_item("response.function_call_arguments.done", {{"name", item_["name"]}, {"arguments", text_}});
  } else {
    if (is_open(kMessage))
      emit_of_part("response.output_text.done", {{"text", text_}, {"logprobs", logprobs_}});
    else
      emit_of_part("response.reasoning_text.done", {{"text", text_}});
    emit_of_part("response.content_part.done", {{"part", part()}});
    item_["content"].push_back(part());
  }
  item_["status"] = status;
  emit("response.output_item.done", {{"output_index", output_.size()}, {"item", item_}});
  output_.push_back(std::exchange(item_, nullptr));
}

ResponseWriter::Json ResponseWriter::part() const {
  if (!is_open(kMessage)) return {{"type", "reasoning_text"}, {"text", text_}};
  return {{"type", "output_text"}, {"text", text_}, {"annotations", Json::array()}, {"logprobs", logprobs_}};
}

void replay_response(const nlohmann::ordered_json& response, const nlohmann::ordered_json& pieces,
                     const ResponseWriter::Sink& sink) {
  size_t next = 0;
  ResponseWriter writer(as_begun(response), sink,
                        [&](std::string_view) { return response.at("output").at(next++).at("id"); });
  writer.begin();
  for (const ResponsePiece& piece : pieces_of(pieces)) writer.take(piece);
  writer.stop();
  writer.end(response);
}

}  // namespace hearth
