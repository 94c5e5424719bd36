#include "server/terminal_chat/http_backend.h"

#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// Answers each connection with the next of `replies` as it is; keeps what was asked. A reply that ends with kHold keeps
// its connection open.
constexpr std::string_view kHold = "HOLD";

class CannedServer {
 public:
  explicit CannedServer(std::vector<std::string> replies) : replies_(std::move(replies)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd_, raw, size), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
    EXPECT_EQ(::getsockname(fd_, raw, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~CannedServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  std::vector<std::string> asked;

 private:
  void serve() {
    for (const std::string& reply : replies_) {
      const int connection = ::accept(fd_, nullptr, nullptr);
      if (connection < 0) return;
      std::string request;
      char buffer[4096];
      // A request of these tests ends with its JSON body or has none.
      while (!request.ends_with("\r\n\r\n") && !request.ends_with("}")) {
        const ssize_t n = ::recv(connection, buffer, sizeof(buffer), 0);
        if (n <= 0) break;
        request.append(buffer, static_cast<size_t>(n));
        if (request.starts_with("POST") && request.ends_with("\r\n\r\n")) request += " ";
      }
      asked.push_back(request);
      const bool hold = reply.ends_with(kHold);
      const std::string bytes = hold ? reply.substr(0, reply.size() - kHold.size()) : reply;
      ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      while (hold && ::recv(connection, buffer, sizeof(buffer), 0) > 0) {
      }
      ::close(connection);
    }
  }

  int fd_ = -1, port_ = 0;
  std::vector<std::string> replies_;
  std::thread thread_;
};

std::string json_reply(const std::string& status, const std::string& body) {
  return fmt::format("HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

const std::string kStreamHead = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n";

std::string chunk(const std::string& choice) { return "data: {\"choices\":[" + choice + "]}\n\n"; }

std::string models_reply(const std::string& ids) { return json_reply("200 OK", "{\"data\":[" + ids + "]}"); }
const std::string kTiny = models_reply(R"({"id":"tiny"})");

const nlohmann::ordered_json kMessages = {{{"role", "user"}, {"content", "hi"}}};

TEST(HttpBackend, StreamsAnAnswerOfTheFirstModel) {
  CannedServer server(
      {json_reply("200 OK", R"({"data":[{"id":"tiny"},{"id":"other"}]})"),
       kStreamHead + chunk(R"({"delta":{"role":"assistant","content":""}})") + chunk(R"({"delta":{"content":"Hé"}})") +
           chunk(R"({"delta":{"content":"llo"},"finish_reason":null})") +
           chunk(R"({"delta":{},"finish_reason":"length"})") +
           R"(data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":2}}})" +
           "\n\ndata: [DONE]\n\n"});
  HttpBackend backend(server.url(), "key", "");
  EXPECT_EQ(backend.model(), "tiny");
  ChatSettings settings;
  settings.set("seed", "5");
  std::string shown;
  const std::atomic<bool> stop{false};
  const ChatAnswer answer = backend.answer(
      kMessages, settings, [&](std::string_view text) { shown += text; }, stop);
  EXPECT_EQ(shown, "Héllo");
  EXPECT_EQ(answer.text, "Héllo");
  EXPECT_EQ(answer.finish_reason, "length");
  EXPECT_EQ(answer.prompt_tokens, 7);
  EXPECT_EQ(answer.cached_tokens, 2);
  EXPECT_EQ(answer.completion_tokens, 3);
  ASSERT_EQ(server.asked.size(), 2u);
  EXPECT_THAT(server.asked[1], HasSubstr("Authorization: Bearer key"));
  EXPECT_THAT(server.asked[1], HasSubstr("POST /v1/chat/completions"));
  EXPECT_THAT(server.asked[1],
              HasSubstr(R"({"seed":5,"model":"tiny","messages":[{"role":"user","content":"hi"}],"stream":true)"));
}

class HttpBackendErrors : public testing::Test {
 protected:
  std::pair<ErrorCode, std::string> error_of(const std::string& reply) {
    CannedServer server({kTiny, reply});
    HttpBackend backend(server.url() + "/v1/", "", "tiny");
    const std::atomic<bool> stop{false};
    try {
      backend.answer(
          kMessages, {}, [](std::string_view) {}, stop);
    } catch (const Error& error) {
      return {error.code(), error.what()};
    }
    return {ErrorCode::kInternal, "nothing was thrown"};
  }
};

TEST_F(HttpBackendErrors, AreTheServersOwnWords) {
  const auto [code, message] =
      error_of(json_reply("400 Bad Request", R"({"error":{"message":"too long","code":"context_length_exceeded"}})"));
  EXPECT_EQ(code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(message, "too long");
  EXPECT_EQ(error_of(json_reply("401 Unauthorized", R"({"error":{"message":"no key","code":null}})")).second,
            "no key (set HEARTH_API_KEY)");
  EXPECT_EQ(error_of(json_reply("503 Busy", "<html>")).first, ErrorCode::kUnavailable);
}

TEST_F(HttpBackendErrors, BrokenStreamsAreNoAnswers) {
  const std::string broken = error_of(kStreamHead + chunk(R"({"delta":{"content":"a"}})")).second;
  EXPECT_THAT(broken, StartsWith("the answer broke off: http://127.0.0.1:"));
  EXPECT_THAT(broken, HasSubstr("ended without a finish reason"));
  EXPECT_EQ(error_of(kStreamHead + "data: {broken\n\n").first, ErrorCode::kDataCorruption);
  EXPECT_EQ(error_of(kStreamHead + "data: {\"error\":{\"message\":\"out of memory\"}}\n\n").second, "out of memory");
}

TEST(HttpBackend, StopEndsTheAnswerAndKeepsWhatCame) {
  CannedServer server({kTiny, kStreamHead + chunk(R"({"delta":{"content":"once"}})") + std::string(kHold)});
  HttpBackend backend(server.url(), "", "tiny");
  std::atomic<bool> stop{false};
  const ChatAnswer answer = backend.answer(
      kMessages, {}, [&](std::string_view) { stop = true; }, stop);
  EXPECT_EQ(answer.text, "once");
  EXPECT_EQ(answer.finish_reason, "cancelled");
}

TEST(HttpBackend, ReasoningIsShownAndNotKept) {
  CannedServer server({kTiny, kStreamHead + chunk(R"({"delta":{"reasoning_content":"Hm"}})") +
                                  chunk(R"({"delta":{"reasoning_content":"m."}})") +
                                  chunk(R"({"delta":{"content":"Yes"},"finish_reason":"stop"})")});
  HttpBackend backend(server.url(), "", "");
  std::string shown;
  const std::atomic<bool> stop{false};
  const ChatAnswer answer = backend.answer(
      kMessages, {}, [&](std::string_view text) { shown += text; }, stop);
  EXPECT_EQ(shown, "<think>\nHmm.\n</think>\n\nYes");
  EXPECT_EQ(answer.text, "Yes");
}

TEST(HttpBackend, AnotherModelIsOneThatTheServerHas) {
  const std::string two = models_reply(R"({"id":"tiny"},{"id":"tiny:pirate"})");
  CannedServer server({two, two, two, two});
  HttpBackend backend(server.url(), "", "");
  EXPECT_THAT(backend.models(), ElementsAre("tiny", "tiny:pirate"));
  backend.use("tiny:pirate", "");
  EXPECT_EQ(backend.model(), "tiny:pirate");
  try {
    backend.use("tiny:pirat", "");
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_THAT(error.what(),
                HasSubstr("no model 'tiny:pirat' (did you mean 'tiny:pirate'?); there are tiny, tiny:pirate"));
  }
  EXPECT_THROW(backend.use("tiny", "saves/lora"), Error);
  EXPECT_EQ(backend.model(), "tiny:pirate");
}

TEST(HttpBackend, UnknownModelIsToldBeforeTheFirstMessage) {
  CannedServer server({kTiny});
  EXPECT_THROW(HttpBackend(server.url(), "", "other"), Error);
}

TEST(HttpBackend, ServerWithoutModelsIsSaidSo) {
  CannedServer server({json_reply("200 OK", R"({"data":[]})")});
  EXPECT_THROW(HttpBackend(server.url(), "", ""), Error);
}

}  // namespace
}  // namespace hearth
