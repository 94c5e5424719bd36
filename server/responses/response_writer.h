// The events of a response as its pieces come: output items begin, grow and end in the order of OpenAI's streams. The
// same pieces give the same events. Source: the openai client's types/responses/response_*_event.py.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "server/ids.h"
#include "server/responses/response_pieces.h"

namespace hearth {

class ResponseWriter {
 public:
  using Json = nlohmann::ordered_json;
  // Each event has a type and a sequence_number, which count from 0.
  using Sink = std::function<void(const Json& event)>;
  using NewId = std::function<std::string(std::string_view prefix)>;

  // `response`: as it begins. `new_id` names the output items.
  ResponseWriter(Json response, Sink sink, NewId new_id = random_id);

  void begin();
  void take(const ResponsePiece& piece);
  // No more pieces come: an item that has not ended is incomplete.
  void stop();
  const Json& output() const { return output_; }
  // The event that ends the stream, by the status of `response`, the object as it has become.
  void end(const Json& response);

 private:
  void emit(std::string_view type, const Json& fields);
  void emit_of_item(std::string_view type, const Json& fields);
  void emit_of_part(std::string_view type, const Json& fields);
  bool is_open(std::string_view type) const;
  void open(const Json& item, std::string_view prefix);
  void open_texts(std::string_view type);
  void add_text(const ResponsePiece& piece);
  void close(std::string_view status);
  Json part() const;

  Json response_;
  const Sink sink_;
  const NewId new_id_;
  int sequence_number_ = 0;
  Json output_ = Json::array();    // items that have ended
  Json item_;                      // the one that grows; null: none
  std::string text_;               // its text or arguments
  Json logprobs_ = Json::array();  // of its text
};

// The events of a response that has ended, `pieces` as kept.
void replay_response(const nlohmann::ordered_json& response, const nlohmann::ordered_json& pieces,
                     const ResponseWriter::Sink& sink);

}  // namespace hearth
