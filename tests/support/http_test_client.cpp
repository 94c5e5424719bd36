#include "tests/support/http_test_client.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth::test {
namespace {

// The content of a chunked body as far as it is complete; nothing when its end is not there yet.
std::optional<std::string> unchunk(std::string_view raw, size_t& used) {
  std::string body;
  size_t at = 0;
  for (;;) {
    const size_t line = raw.find("\r\n", at);
    if (line == std::string_view::npos) return std::nullopt;
    const size_t size = std::stoul(std::string(raw.substr(at, line - at)), nullptr, 16);
    at = line + 2;
    if (raw.size() < at + size + 2) return std::nullopt;
    body += raw.substr(at, size);
    at += size + 2;
    if (size == 0) break;
  }
  used = at;
  return body;
}

}  // namespace

std::string HttpAnswer::error_code() const {
  const nlohmann::ordered_json error = json().at("error");
  for (const char* key : {"message", "type", "param", "code"})
    if (!error.contains(key)) throw std::runtime_error("no key '" + std::string(key) + "' in " + body);
  return error["code"].is_string() ? error["code"].get<std::string>() : "";
}

std::vector<std::string> HttpAnswer::events() const {
  std::vector<std::string> events;
  std::string_view rest = body;
  while (!rest.empty()) {
    const size_t end = rest.find("\n\n");
    if (end == std::string_view::npos) throw std::runtime_error("an event without an end: " + std::string(rest));
    std::string_view event = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (event.starts_with("event: ")) event.remove_prefix(event.find('\n') + 1);
    if (event.starts_with("data: ")) events.emplace_back(event.substr(6));
  }
  return events;
}

HttpTestClient::HttpTestClient(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error("cannot connect to port " + std::to_string(port));
}

HttpTestClient::~HttpTestClient() { hang_up(); }

void HttpTestClient::hang_up() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool HttpTestClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

bool HttpTestClient::fill(int seconds) {
  pollfd poll{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&poll, 1, seconds * 1000) <= 0) return false;
  char data[16384];
  const ssize_t count = ::recv(fd_, data, sizeof(data), 0);
  if (count <= 0) return false;
  buffer_.append(data, static_cast<size_t>(count));
  return true;
}

std::string HttpTestClient::read(size_t enough, int seconds) {
  while (buffer_.size() < enough && fill(seconds)) {
  }
  return std::exchange(buffer_, "");
}

bool HttpTestClient::closed_by_server(int seconds) {
  pollfd poll{.fd = fd_, .events = POLLIN | POLLRDHUP, .revents = 0};
  char data[16384];
  while (::poll(&poll, 1, seconds * 1000) > 0)
    if (::recv(fd_, data, sizeof(data), 0) <= 0) return true;
  return false;
}

HttpAnswer HttpTestClient::read_answer(bool to_head) {
  HttpAnswer answer;
  size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!fill(60)) return answer;
  const std::string head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  answer.status = std::stoi(head.substr(head.find(' ') + 1));
  for (size_t line = head.find("\r\n") + 2; line < head.size();) {
    const size_t stop = head.find("\r\n", line), colon = head.find(": ", line);
    std::string name = head.substr(line, colon - line);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    answer.headers[name] = head.substr(colon + 2, stop - colon - 2);
    line = stop + 2;
  }
  if (answer.status == 100) return read_answer(to_head);
  if (to_head) return answer;
  if (answer.headers.contains("transfer-encoding")) {
    for (;;) {
      size_t used = 0;
      if (std::optional<std::string> body = unchunk(buffer_, used)) {
        answer.body = std::move(*body);
        buffer_.erase(0, used);
        return answer;
      }
      if (!fill(60)) throw std::runtime_error("the reply ends in the middle: " + buffer_);
    }
  }
  const auto length = answer.headers.find("content-length");
  const size_t wanted = length == answer.headers.end() ? 0 : std::stoul(length->second);
  while (buffer_.size() < wanted && fill(60)) {
  }
  answer.body = buffer_.substr(0, wanted);
  buffer_.erase(0, wanted);
  return answer;
}

std::string make_request(std::string_view method, std::string_view path, std::string_view body,
                         const std::vector<std::string>& headers) {
  std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n", method, path);
  if (!body.empty()) request += fmt::format("Content-Length: {}\r\n", body.size());
  for (const std::string& header : headers) request += header + "\r\n";
  return request + "\r\n" + std::string(body);
}

HttpAnswer fetch(int port, std::string_view method, std::string_view path, std::string_view body,
                 const std::vector<std::string>& headers) {
  HttpTestClient client(port);
  client.send(make_request(method, path, body, headers));
  return client.read_answer(method == "HEAD");
}

}  // namespace hearth::test
