// A web server on loopback that gives every request the same answer for its path, and counts connections.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth::test {

class OneAnswerServer {
 public:
  // Whole answers by path: "HTTP/1.1 200 OK\r\n...". To be set before requests come.
  std::map<std::string, std::string> answers;

  OneAnswerServer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_ANY);  // all of 127.0.0.0/8
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~OneAnswerServer() {
    closing_ = true;
    thread_.join();
    ::close(listener_);
  }
  OneAnswerServer(const OneAnswerServer&) = delete;
  OneAnswerServer& operator=(const OneAnswerServer&) = delete;

  int port() const { return port_; }
  int connections() const { return connections_; }
  std::string url(const std::string& host, const std::string& path) const {
    return "http://" + host + ":" + std::to_string(port_) + path;
  }
  static std::string ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string redirect(const std::string& url) {
    return "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " + url + "\r\n\r\n";
  }

 private:
  void serve() {
    while (!closing_) {
      pollfd wait{listener_, POLLIN, 0};
      if (::poll(&wait, 1, 20) <= 0) continue;
      const int fd = ::accept(listener_, nullptr, nullptr);
      ++connections_;
      std::string request;
      char piece[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t n = ::recv(fd, piece, sizeof piece, 0);
        if (n <= 0) break;
        request.append(piece, static_cast<size_t>(n));
      }
      const size_t begin = request.find(' ') + 1;
      const auto found = answers.find(request.substr(begin, request.find(' ', begin) - begin));
      const std::string answer =
          found == answers.end() ? "HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nsecret" : found->second;
      for (size_t at = 0; at < answer.size();) {
        const ssize_t n = ::send(fd, answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (n <= 0) break;
        at += static_cast<size_t>(n);
      }
      if (answer.empty())  // it stays silent until the client goes away
        while (!closing_ && ::recv(fd, piece, sizeof piece, 0) > 0) {
        }
      ::close(fd);
    }
  }

  int listener_ = -1, port_ = 0;
  std::atomic<bool> closing_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

}  // namespace hearth::test
