#include "server/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kReadBytes = 16 << 10;
constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr std::string_view kSpeakTls =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 133\r\n\r\n"
    R"({"error":{"message":"this port speaks HTTPS: use a URL of https://","type":"invalid_request_error","param":null,"code":"use_https"}})"
    "\n";

}  // namespace

Connection::Connection(int fd, const HttpLimits& limits, TlsContext* tls)
    : fd_(fd), limits_(limits), tls_context_(tls) {
  buffer_.reserve(kReadBytes);
}

Connection::~Connection() {
  if (tls_ && SSL_is_init_finished(tls_.get())) SSL_shutdown(tls_.get());  // says that the end is meant
  ::shutdown(fd_, SHUT_RDWR);
  ::close(fd_);
}

bool Connection::wait(short events, Clock::time_point deadline) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd poll{.fd = fd_, .events = events, .revents = 0};
    const int ready = ::poll(&poll, 1, static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

// `result`: of an SSL_ function that was called with an empty error queue.
Connection::Transfer Connection::tls_transfer(int result) const {
  if (result > 0) return {result, 0};
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {-1, POLLIN};
    case SSL_ERROR_WANT_WRITE:
      return {-1, POLLOUT};
    case SSL_ERROR_ZERO_RETURN:
      return {0, 0};
    default:
      return {-1, 0};
  }
}

Connection::Transfer Connection::receive(char* data, size_t size) {
  if (tls_) {
    ERR_clear_error();
    return tls_transfer(SSL_read(tls_.get(), data, static_cast<int>(size)));
  }
  const ssize_t count = ::recv(fd_, data, size, MSG_DONTWAIT);
  const bool again = count < 0 && (errno == EAGAIN || errno == EINTR);
  return {count, static_cast<short>(again ? POLLIN : 0)};
}

Connection::Transfer Connection::transmit(const char* data, size_t size) {
  if (tls_) {
    ERR_clear_error();
    return tls_transfer(SSL_write(tls_.get(), data, static_cast<int>(std::min(size, kReadBytes))));
  }
  const ssize_t count = ::send(fd_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  const bool again = count < 0 && (errno == EAGAIN || errno == EINTR);
  return {count, static_cast<short>(again ? POLLOUT : 0)};
}

bool Connection::handshake() {
  if (!tls_context_) return true;
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  tls_ = tls_context_->session(fd_);
  if (!tls_) return false;
  const auto deadline = Clock::now() + limits_.header_timeout;
  for (;;) {
    ERR_clear_error();
    const Transfer done = tls_transfer(SSL_do_handshake(tls_.get()));
    if (done.count > 0) return true;
    if (done.wanted == 0) {
      if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST) {
        tls_.reset();
        ::send(fd_, kSpeakTls.data(), kSpeakTls.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        linger();
      }
      return false;
    }
    if (!wait(done.wanted, deadline) || Clock::now() >= deadline) return false;
  }
}

bool Connection::wait_for_request(std::chrono::milliseconds timeout) {
  if (begin_ == buffer_.size()) {
    if (!readable_now() && !wait(POLLIN, Clock::now() + timeout)) return false;
    read_deadline_ = Clock::now() + limits_.header_timeout;
    if (!fill()) return false;
  }
  in_headers_ = true;
  header_bytes_ = 0;
  read_deadline_ = Clock::now() + limits_.header_timeout;
  return true;
}

void Connection::begin_body(BodyDeadline deadline) {
  in_headers_ = false;
  body_deadline_ = deadline;
  step_bytes_ = 0;
  read_deadline_ = Clock::now() + (deadline == BodyDeadline::kWhole ? limits_.body_timeout : limits_.upload_timeout);
}

// Reads what there is into the empty buffer; false at the end, the deadline or an error.
bool Connection::fill() {
  begin_ = 0;
  for (;;) {
    buffer_.resize(kReadBytes);
    const auto [count, wanted] = receive(buffer_.data(), buffer_.size());
    buffer_.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count > 0) return true;
    if (wanted == 0) return false;
    if (!wait(wanted, read_deadline_)) {
      timed_out_ = true;
      return false;
    }
  }
}

ssize_t Connection::read(char* data, size_t size) {
  if (begin_ == buffer_.size() && !fill()) return timed_out_ ? -1 : 0;
  const size_t count = std::min(size, buffer_.size() - begin_);
  if (in_headers_) {
    header_bytes_ += count;
    if (header_bytes_ > limits_.max_header_bytes) {
      headers_too_large_ = true;
      return -1;
    }
  } else if ((step_bytes_ += count) >= limits_.upload_step_bytes && body_deadline_ == BodyDeadline::kMinimumRate) {
    step_bytes_ = 0;
    read_deadline_ = Clock::now() + limits_.upload_timeout;
  }
  std::memcpy(data, buffer_.data() + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

bool Connection::write(const char* data, size_t size) {
  while (size > 0) {
    const auto [count, wanted] = transmit(data, size);
    if (count > 0) {
      data += count;
      size -= static_cast<size_t>(count);
    } else if (wanted == 0 || !wait(wanted, Clock::now() + limits_.write_timeout)) {
      return false;
    }
  }
  return true;
}

bool Connection::readable_now() const {
  return begin_ < buffer_.size() || (tls_ && SSL_pending(tls_.get()) > 0) || wait(POLLIN, Clock::now());
}

bool Connection::writable() const { return wait(POLLOUT, Clock::now() + limits_.write_timeout); }

bool Connection::peer_gone() const {
  pollfd poll{.fd = fd_, .events = POLLRDHUP, .revents = 0};
  return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void Connection::linger() {
  if (tls_) SSL_shutdown(tls_.get());
  ::shutdown(fd_, SHUT_WR);
  const auto deadline = Clock::now() + kLingerTime;
  char scratch[kReadBytes];
  while (wait(POLLIN, deadline)) {
    const ssize_t count = ::recv(fd_, scratch, sizeof(scratch), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return;
    if (Clock::now() >= deadline) return;
  }
}

}  // namespace hearth
