#include "tests/server/hub/small_hub.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/digest.h"

namespace hearth {
namespace {

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string hex_of(Digest digest, std::string_view content) {
  digest.update(content);
  return digest.hex();
}

void reply(int fd, const std::string& status, const std::string& headers, const std::string& body) {
  send_all(fd, fmt::format("HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(),
                           headers, body));
}

SmallHub::Request parse(const std::string& text) {
  SmallHub::Request request;
  size_t begin = 0;
  for (size_t end = text.find("\r\n"); end != std::string::npos; begin = end + 2, end = text.find("\r\n", begin)) {
    const std::string line = text.substr(begin, end - begin);
    if (begin == 0) {
      request.method = line.substr(0, line.find(' '));
      const size_t target = request.method.size() + 1;
      request.target = line.substr(target, line.find(' ', target) - target);
    } else if (const size_t colon = line.find(": "); colon != std::string::npos) {
      std::string name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      request.headers[name] = line.substr(colon + 2);
    }
  }
  return request;
}

}  // namespace

std::string SmallHub::Request::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

SmallHub::Listener SmallHub::listen_on_loopback() {
  Listener listener;
  listener.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.fd, raw, size) != 0 || ::listen(listener.fd, 64) != 0 ||
      ::getsockname(listener.fd, raw, &size) != 0)
    throw std::runtime_error("no socket on loopback");
  listener.port = ntohs(address.sin_port);
  return listener;
}

SmallHub::SmallHub() : first_(listen_on_loopback()), second_(listen_on_loopback()) {
  acceptors_[0] = std::thread([this] { accept_loop(first_, false); });
  acceptors_[1] = std::thread([this] { accept_loop(second_, true); });
}

SmallHub::~SmallHub() {
  closing_ = true;
  for (const Listener& listener : {first_, second_}) ::shutdown(listener.fd, SHUT_RDWR);
  for (std::thread& acceptor : acceptors_) acceptor.join();
  for (const Listener& listener : {first_, second_}) ::close(listener.fd);
  for (std::thread& connection : connections_) connection.join();
}

std::string SmallHub::endpoint() const { return fmt::format("http://127.0.0.1:{}", first_.port); }

std::vector<SmallHub::Request> SmallHub::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void SmallHub::accept_loop(Listener listener, bool second) {
  for (;;) {
    const int fd = ::accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    connections_.emplace_back([this, fd, second] { serve(fd, second); });
  }
}

void SmallHub::serve(int fd, bool second) {
  std::string text;
  char buffer[4096];
  while (text.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = ::recv(fd, buffer, sizeof(buffer), 0);
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  if (text.find("\r\n\r\n") != std::string::npos) {
    Request request = parse(text);
    request.at_second_origin = second;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    answer(fd, request);
  }
  ::close(fd);
}

std::string SmallHub::hash_of(const File& file) const {
  if (!file.stated_hash.empty()) return file.stated_hash;
  return hex_of(file.large ? Digest::sha256() : Digest::git_blob(file.content.size()), file.content);
}

std::string SmallHub::list_files() const {
  nlohmann::json list = {{"id", repo}, {"sha", commit}, {"siblings", nlohmann::json::array()}};
  for (const auto& [path, file] : files) {
    nlohmann::json sibling = {{"rfilename", path}};
    if (list_hashes) {
      sibling["size"] = file.content.size();
      sibling["blobId"] = file.large ? std::string(40, 'b') : hash_of(file);
      if (file.large) sibling["lfs"] = {{"sha256", hash_of(file)}, {"size", file.content.size()}, {"pointerSize", 130}};
    }
    list["siblings"].push_back(sibling);
  }
  return list.dump();
}

void SmallHub::answer(int fd, const Request& request) {
  const std::string api = "/api/models/" + repo + "/revision/";
  const std::string resolve = "/" + repo + "/resolve/" + commit + "/";
  {
    const std::lock_guard lock(mutex_);
    if (unavailable_answers > 0) {
      --unavailable_answers;
      return reply(fd, "503 Service Unavailable", "", "busy");
    }
  }
  if (request.at_second_origin) return send_content(fd, request, request.target.substr(sizeof("/content/") - 1));
  if (!required_token.empty() && request.header("authorization") != "Bearer " + required_token)
    return reply(fd, "401 Unauthorized", "X-Error-Code: RepoNotFound\r\n", "{}");
  if (request.target.starts_with(api)) {
    const std::string revision = request.target.substr(api.size(), request.target.find('?') - api.size());
    if (revision != "main" && revision != "v1%2Frc" && revision != commit)
      return reply(fd, "404 Not Found", "X-Error-Code: RevisionNotFound\r\n", "{}");
    return reply(fd, "200 OK", "Content-Type: application/json\r\n", list_files());
  }
  if (request.target.starts_with(resolve)) return answer_file(fd, request, request.target.substr(resolve.size()));
  reply(fd, "404 Not Found", "X-Error-Code: RepoNotFound\r\n", "{}");
}

void SmallHub::answer_file(int fd, const Request& request, const std::string& path) {
  if (path == redirect_loop) return reply(fd, "302 Found", "Location: " + request.target + "\r\n", "");
  const auto found = files.find(path);
  if (found == files.end()) return reply(fd, "404 Not Found", "X-Error-Code: EntryNotFound\r\n", "");
  const File& file = found->second;
  if (!file.large) return send_content(fd, request, path);
  reply(fd, "302 Found",
        fmt::format("Location: http://127.0.0.1:{}/content/{}\r\nX-Linked-Etag: \"{}\"\r\nX-Linked-Size: {}\r\n",
                    second_.port, path, hash_of(file), file.content.size()),
        "");
}

void SmallHub::send_content(int fd, const Request& request, const std::string& path) {
  const auto found = files.find(path);
  if (found == files.end()) return reply(fd, "404 Not Found", "", "");
  const File& file = found->second;
  const std::string etag = file.large ? "\"of-the-content-server\"" : "\"" + hash_of(file) + "\"";
  std::string_view body = file.content;
  std::string status = "200 OK", range_header;
  const std::string range = request.header("range"), condition = request.header("if-range");
  if (range.starts_with("bytes=") && !ignore_ranges && (condition.empty() || condition == etag)) {
    const size_t begin = std::stoull(range.substr(6));
    if (begin >= body.size()) return reply(fd, "416 Range Not Satisfiable", "", "");
    body.remove_prefix(begin);
    status = "206 Partial Content";
    range_header =
        fmt::format("Content-Range: bytes {}-{}/{}\r\n", begin, file.content.size() - 1, file.content.size());
  }
  if (!send_all(fd, fmt::format("HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {}\r\nETag: {}\r\n{}\r\n", status,
                                body.size(), etag, range_header)) ||
      request.method == "HEAD")
    return;
  {
    const std::lock_guard lock(mutex_);
    if (cuts > 0 && body.size() > cut_after) {
      --cuts;
      body = body.substr(0, cut_after);
    }
  }
  const int now = ++at_once_;
  for (int most = most_at_once_; now > most && !most_at_once_.compare_exchange_weak(most, now);) {
  }
  const size_t piece = milliseconds_per_piece > 0 ? 4096 : std::max<size_t>(1, body.size());
  bool counted = true;
  for (; !body.empty() && !closing_; body.remove_prefix(std::min(piece, body.size()))) {
    if (body.size() <= piece && std::exchange(counted, false)) --at_once_;  // before the client can see the end
    if (!send_all(fd, body.substr(0, piece))) break;
    body_bytes_ += std::min(piece, body.size());
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds_per_piece));
  }
  if (counted) --at_once_;
}

}  // namespace hearth
