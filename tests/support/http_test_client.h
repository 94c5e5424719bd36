// A plain HTTP/1.1 client over a socket: it can send what no library would, stop halfway and hang up.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace hearth::test {

struct HttpAnswer {
  int status = 0;                              // 0: the connection ended without one
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // of chunked replies the content

  nlohmann::ordered_json json() const { return nlohmann::ordered_json::parse(body); }
  // "code" of OpenAI's error object; throws when the body is none with all four keys.
  std::string error_code() const;
  // The data of server-sent events.
  std::vector<std::string> events() const;
};

class HttpTestClient {
 public:
  explicit HttpTestClient(int port);
  ~HttpTestClient();
  HttpTestClient(const HttpTestClient&) = delete;
  HttpTestClient& operator=(const HttpTestClient&) = delete;

  bool send(std::string_view bytes);
  // Until the connection ends, `enough` bytes are there or nothing came for `seconds`.
  std::string read(size_t enough = static_cast<size_t>(-1), int seconds = 60);
  // One reply of a connection that may stay open; `to_head`: to a HEAD, which has no body whatever its headers say.
  HttpAnswer read_answer(bool to_head = false);
  // True when the server ends the connection within `seconds`.
  bool closed_by_server(int seconds);
  void hang_up();

 private:
  bool fill(int seconds);
  int fd_;
  std::string buffer_;
};

// "POST /path HTTP/1.1" with Host, Content-Length and these further header lines.
std::string make_request(std::string_view method, std::string_view path, std::string_view body = "",
                         const std::vector<std::string>& headers = {});
HttpAnswer fetch(int port, std::string_view method, std::string_view path, std::string_view body = "",
                 const std::vector<std::string>& headers = {});

}  // namespace hearth::test
