// HTTP requests to other servers, over libcurl: one request at a time a client, streamed, cancellable. Redirects are
// followed here and not by libcurl: at most five, never from https to http, and the bearer token goes to the first
// request's origin only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

#include "runtime/base/error.h"

namespace hearth {

struct HttpRequest {
  std::string url;
  std::string bearer_token;                 // empty: none
  std::vector<std::string> headers;         // "Name: value"
  std::optional<std::string> body;          // JSON to POST; without it a GET
  bool head = false;                        // HEAD: headers only
  bool follow_to_other_hosts = true;        // false: a redirect to another origin is the response
  int stall_seconds = 30;                   // no byte for so long is a failure; 0: wait
  std::chrono::milliseconds total_time{0};  // for everything, redirects with it; 0: any
  // Where it may go, asked at every hop; empty: anywhere. The host as the URL has it, in lower case.
  std::function<bool(const std::string& host, int port)> may_ask = {};
  // The address that is connected to, whatever name or spelling led to it: asked for the very socket, so that a name
  // which resolves differently the next time changes nothing. There is no proxy then.
  std::function<bool(const sockaddr& address)> may_connect = {};
};

// may_ask or may_connect said no, or where may_connect would be asked, a name has no address.
class NotAllowed : public Error {
 public:
  explicit NotAllowed(const std::string& message) : Error(ErrorCode::kInvalidArgument, message) {}
};

struct HttpResponse {
  int status = 0;
  std::string url;                             // after redirects
  std::map<std::string, std::string> headers;  // of the last response; names in lower case
  std::string body;                            // without a sink, and of error responses: at most 64 MiB

  std::string header(const std::string& name) const;
};

class HttpClient {
 public:
  // Takes a piece of the body; false ends the request, which then counts as complete.
  using Sink = std::function<bool(std::string_view)>;
  // Called with status and headers of the last response, before its body.
  using OnHeaders = std::function<void(const HttpResponse&)>;

  // `cancelled` (may be null) is looked at several times a second and ends a request with kCancelled.
  explicit HttpClient(const std::atomic<bool>* cancelled = nullptr);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any status is a response. Throws kUnavailable when the connection fails or breaks (also before Content-Length
  // bytes) or takes too long, kCancelled, NotAllowed. With a sink the body of a 2xx response goes there.
  HttpResponse send(const HttpRequest& request, const Sink& sink = {}, const OnHeaders& on_headers = {});

 private:
  struct Exchange;
  HttpResponse send_once(const HttpRequest& request, const std::string& url, bool with_token, Exchange& exchange);
  void restrict_to(const HttpRequest& request, Exchange& exchange);

  void* curl_;  // CURL
  const std::atomic<bool>* cancelled_;
};

}  // namespace hearth
