// A server on loopback that answers each request with JSON, one after the other, and keeps what it was sent.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth::test {

class JsonServer {
 public:
  struct Request {
    std::string line, headers, body;
  };
  // Status and body.
  using Answer = std::function<std::pair<int, std::string>(const Request&)>;

  explicit JsonServer(Answer answer) : answer_(std::move(answer)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd_, 8) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no socket on loopback");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~JsonServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  JsonServer(const JsonServer&) = delete;
  JsonServer& operator=(const JsonServer&) = delete;

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  // To be looked at when no request is under way.
  const std::vector<Request>& requests() const { return requests_; }

 private:
  static Request read(int fd) {
    std::string all;
    size_t end = std::string::npos, length = 0;
    char piece[4096];
    for (ssize_t n; (n = ::recv(fd, piece, sizeof piece, 0)) > 0;) {
      all.append(piece, static_cast<size_t>(n));
      if (end == std::string::npos && (end = all.find("\r\n\r\n")) != std::string::npos) {
        const size_t at = all.find("Content-Length: ");
        length = at < end ? std::stoul(all.substr(at + 16)) : 0;
      }
      if (end != std::string::npos && all.size() >= end + 4 + length) break;
    }
    if (end == std::string::npos) return {};
    const size_t line = all.find("\r\n");
    return {all.substr(0, line), all.substr(line, end - line), all.substr(end + 4)};
  }
  void serve() {
    for (int fd; (fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      requests_.push_back(read(fd));
      const auto [status, body] = answer_(requests_.back());
      const std::string reply = fmt::format(
          "HTTP/1.1 {} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
          status, body.size(), body);
      (void)!::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL);
      ::close(fd);
    }
  }

  Answer answer_;
  int fd_ = -1, port_ = 0;
  std::thread thread_;
  std::vector<Request> requests_;
};

}  // namespace hearth::test
