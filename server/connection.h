// One accepted TCP connection: buffered reads and writes under deadlines for the whole of a request's headers and body,
// not for a single recv, so that a client that sends a byte now and then cannot hold a thread. Closes the socket.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <sys/types.h>

namespace hearth {

struct HttpLimits {
  int max_connections = 400;
  size_t max_header_bytes = 64 << 10;
  size_t max_body_bytes = 16 << 20;
  std::chrono::milliseconds idle_timeout{30'000};    // between two requests on a connection
  std::chrono::milliseconds header_timeout{10'000};  // from a request's first byte to its last header
  std::chrono::milliseconds body_timeout{60'000};    // from there to the end of its body
  std::chrono::milliseconds write_timeout{30'000};   // without a byte taken by the client
};

class Connection {
 public:
  Connection(int fd, const HttpLimits& limits);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }

  // True when a request begins within `timeout`, and its headers' deadline runs from then on; false for silence and the
  // end of the connection.
  bool wait_for_request(std::chrono::milliseconds timeout);
  void begin_body();

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
  bool wait(short events, std::chrono::steady_clock::time_point deadline) const;
  bool fill();

  int fd_;
  HttpLimits limits_;
  std::string buffer_;
  size_t begin_ = 0;  // of what is unread in buffer_
  std::chrono::steady_clock::time_point read_deadline_;
  size_t header_bytes_ = 0;
  bool in_headers_ = true;
  bool timed_out_ = false, headers_too_large_ = false;
};

}  // namespace hearth
