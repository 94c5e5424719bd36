// What a route gets and gives, without the HTTP library's types.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace hearth {

// Header names compare without case.
struct HeaderLess {
  bool operator()(const std::string& a, const std::string& b) const;
};
using Headers = std::multimap<std::string, std::string, HeaderLess>;

// The connection that a request came over.
class Client {
 public:
  virtual ~Client() = default;
  // True once the client closed its side.
  virtual bool gone() const = 0;
  // Calls `callback` (short, from another thread, at most once) as soon as the client goes away. Destroying what is
  // returned ends the watch; the callback is not running any more then.
  virtual std::shared_ptr<void> on_gone(std::function<void()> callback) = 0;
};

struct Admission;

// A body that its handler takes as it arrives.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // Calls `take` with piece after piece to the body's end. Throws what becomes the reply when the client sends too
  // much, too slowly or not all, and what `take` throws.
  virtual void read(const std::function<void(std::string_view)>& take) = 0;
};

struct Request {
  std::string method;  // HEAD arrives as GET
  std::string path;    // percent-decoded once, without the query
  std::string query;   // as sent
  Headers headers;
  std::string body;
  BodyReader* body_reader = nullptr;  // of a route that takes its body as a stream; `body` is empty then
  std::string remote_address;
  std::string id;                                   // what the client sees as x-request-id
  std::chrono::steady_clock::time_point received;   // when its headers were complete
  Client* client = nullptr;                         // null in tests
  std::string route = {};                           // the pattern of the route that was found
  bool streams_body = false;                        // that route takes its body as a stream
  std::string path_argument = {};                   // what its {id} or {model} matched
  size_t max_body_bytes = 0;                        // that the route takes; 0: as many as the server does
  std::shared_ptr<const Admission> admission = {};  // server/rate_limiter.h; null: the route is public

  // The first header of that name.
  std::optional<std::string_view> header(const std::string& name) const;
};

// Where a streamed body goes.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  // False when the client is gone; nothing needs to be written after that.
  virtual bool write(std::string_view data) = 0;
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  Headers headers = {};
  std::string body = {};
  // When set, called after the headers went out, instead of `body`; returns when the body is complete.
  std::function<void(BodyWriter&)> stream = {};
};

// A body that is always valid UTF-8: bytes that are not become U+FFFD.
std::string to_text(const nlohmann::ordered_json& json);
Reply json_reply(const nlohmann::ordered_json& json, int status = 200);

}  // namespace hearth
