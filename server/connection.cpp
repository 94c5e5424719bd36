#include "server/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kReadBytes = 16 << 10;
constexpr auto kLingerTime = std::chrono::seconds(2);

}  // namespace

Connection::Connection(int fd, const HttpLimits& limits) : fd_(fd), limits_(limits) { buffer_.reserve(kReadBytes); }

Connection::~Connection() {
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

bool Connection::wait_for_request(std::chrono::milliseconds timeout) {
  if (begin_ == buffer_.size()) {
    if (!wait(POLLIN, Clock::now() + timeout)) return false;
    read_deadline_ = Clock::now() + limits_.header_timeout;
    if (!fill()) return false;
  }
  in_headers_ = true;
  header_bytes_ = 0;
  read_deadline_ = Clock::now() + limits_.header_timeout;
  return true;
}

void Connection::begin_body() {
  in_headers_ = false;
  read_deadline_ = Clock::now() + limits_.body_timeout;
}

// Reads what there is into the empty buffer; false at the end, the deadline or an error.
bool Connection::fill() {
  for (;;) {
    if (!wait(POLLIN, read_deadline_)) {
      timed_out_ = true;
      return false;
    }
    buffer_.resize(kReadBytes);
    const ssize_t count = ::recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    begin_ = 0;
    buffer_.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count > 0) return true;
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) return false;
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
  }
  std::memcpy(data, buffer_.data() + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

bool Connection::write(const char* data, size_t size) {
  while (size > 0) {
    const ssize_t count = ::send(fd_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      data += count;
      size -= static_cast<size_t>(count);
    } else if (count < 0 && errno == EAGAIN) {
      if (!writable()) return false;
    } else if (count < 0 && errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool Connection::readable_now() const { return begin_ < buffer_.size() || wait(POLLIN, Clock::now()); }

bool Connection::writable() const { return wait(POLLOUT, Clock::now() + limits_.write_timeout); }

bool Connection::peer_gone() const {
  pollfd poll{.fd = fd_, .events = POLLRDHUP, .revents = 0};
  return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void Connection::linger() {
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
