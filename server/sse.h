// Server-sent events as OpenAI's clients expect them.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "server/http_types.h"

namespace hearth {

// A reply whose body `stream` writes; its headers keep proxies from holding it back.
Reply sse_reply(std::function<void(BodyWriter&)> stream);

class SseWriter {
 public:
  explicit SseWriter(BodyWriter& body) : body_(body) {}
  // All return false when the client is gone.
  bool event(const nlohmann::ordered_json& data) { return body_.write("data: " + to_text(data) + "\n\n"); }
  // With an id, which a client that reconnects sends as Last-Event-ID.
  bool event(const nlohmann::ordered_json& data, const std::string& id) {
    return body_.write("id: " + id + "\ndata: " + to_text(data) + "\n\n");
  }
  // With an event type of its own, as the responses API has them.
  bool typed_event(std::string_view type, const nlohmann::ordered_json& data) {
    return body_.write(fmt::format("event: {}\ndata: {}\n\n", type, to_text(data)));
  }
  bool done() { return body_.write("data: [DONE]\n\n"); }
  // A comment, which clients skip: the connection is alive.
  bool ping() { return body_.write(": ping\n\n"); }

 private:
  BodyWriter& body_;
};

}  // namespace hearth
