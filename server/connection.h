// One accepted TCP connection, perhaps under TLS: buffered reads and writes under deadlines for the whole of a
// handshake and of a request's headers and body, not for a single recv, so that a client that sends a byte now and then
// cannot hold a thread. A body that is taken as a stream must come at a minimum rate instead. Closes the socket.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <sys/types.h>

#include "server/tls.h"

namespace hearth {

struct HttpLimits {
  int max_connections = 400;
  size_t max_header_bytes = 64 << 10;
  size_t max_body_bytes = 32 << 20;
  size_t max_upload_bytes =
      (512 << 20) + (1 << 20);                       // of a body that is taken as a stream: a file and a form around it
  std::chrono::milliseconds idle_timeout{30'000};    // between two requests on a connection
  std::chrono::milliseconds header_timeout{10'000};  // from a request's first byte to its last header; a TLS handshake
  std::chrono::milliseconds body_timeout{60'000};    // from there to the end of its body
  std::chrono::milliseconds upload_timeout{30'000};  // for every upload_step_bytes of a streamed body, or its rest
  size_t upload_step_bytes = 1 << 20;
  std::chrono::milliseconds write_timeout{30'000};  // without a byte taken by the client
};

enum class BodyDeadline { kWhole, kMinimumRate };

class Connection {
 public:
  // `tls`: null for plain HTTP; outlives this.
  Connection(int fd, const HttpLimits& limits, TlsContext* tls = nullptr);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }

  // Before anything else. False when the client did not finish in time or speaks no TLS that we take; one that speaks
  // plain HTTP has been told. Nothing to do without TLS.
  bool handshake();

  // True when a request begins within `timeout`, and its headers' deadline runs from then on; false for silence and the
  // end of the connection.
  bool wait_for_request(std::chrono::milliseconds timeout);
  void begin_body(BodyDeadline deadline);

  // As recv and send: 0 at the end, -1 when the deadline or the headers' size is exceeded or the client is gone.
  ssize_t read(char* data, size_t size);
  bool write(const char* data, size_t size);
  bool readable_now() const;
  bool writable() const;  // within the write timeout

  bool timed_out() const { return timed_out_; }
  bool headers_too_large() const { return headers_too_large_; }
  // True once the client has closed its side.
  bool peer_gone() const;

  // Lets a client that still sends read the reply: ends our side, then takes in what comes for a moment. Closing a
  // socket with unread bytes would reset it and destroy the reply on its way.
  void linger();

 private:
  // Of one recv, send or their like in TLS: bytes, 0 at the end, -1 with `wanted` set when the socket must become
  // readable or writable first, and with 0 in it for an error.
  struct Transfer {
    ssize_t count;
    short wanted;
  };
  Transfer receive(char* data, size_t size);
  Transfer transmit(const char* data, size_t size);
  Transfer tls_transfer(int result) const;
  bool wait(short events, std::chrono::steady_clock::time_point deadline) const;
  bool fill();

  int fd_;
  HttpLimits limits_;
  TlsContext* tls_context_;  // null for plain HTTP
  TlsSession tls_;
  std::string buffer_;
  size_t begin_ = 0;  // of what is unread in buffer_
  std::chrono::steady_clock::time_point read_deadline_;
  size_t header_bytes_ = 0;
  size_t step_bytes_ = 0;  // of the body, since its deadline was set
  bool in_headers_ = true;
  BodyDeadline body_deadline_ = BodyDeadline::kWhole;
  bool timed_out_ = false, headers_too_large_ = false;
};

}  // namespace hearth
