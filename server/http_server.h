// HTTP/1.1 over cpp-httplib 0.11: its parser and writer on our own sockets, TLS, threads and deadlines. What it leaves
// open is closed here: bodies are read whatever their Content-Type, nothing is compressed (it would hold a stream
// back), requests with ambiguous lengths are refused, and a client that goes away is noticed at once. A body is read
// whole, or handed to its route piece by piece.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/connection.h"
#include "server/http_types.h"

namespace hearth {

// What the server serves. Called from many threads.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // With the headers, before the body is read; a reply or an error refuses the request. May add to it for the calls
  // below. Where it sets streams_body, handle() gets a body_reader in place of the whole body.
  virtual std::optional<Reply> refuse(Request& request) = 0;
  // May throw; error_answer() is the reply then.
  virtual Reply handle(const Request& request) = 0;
  // The reply to what these two threw, or to a body that could not be read; OpenAI's where it is not overridden.
  virtual Reply error_answer(const Request& request, const std::exception& error);
  // Headers that every reply to this request gets, refusals included.
  virtual void decorate(const Request& request, Reply& reply) = 0;
  // After the last byte; `status` is what was sent, 0 when the request was not understood.
  virtual void finished(const Request& request, int status, double seconds) = 0;
};

class HttpServer {
 public:
  // HTTPS with `tls`, which outlives this.
  HttpServer(HttpHandler& handler, HttpLimits limits = {}, TlsContext* tls = nullptr);
  ~HttpServer();  // stops
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Listens and serves from threads of its own. Port 0: any free one. Throws kUnavailable when the port is taken.
  void start(const std::string& host, int port);
  int port() const;
  // True as soon as no request is being served, false at the deadline.
  bool wait_idle(std::chrono::milliseconds timeout);
  // Closes every connection, whatever it is doing, and waits for the threads.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth
