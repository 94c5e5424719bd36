#include "server/http_server.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/api_error.h"
#include "server/worker_pool.h"
#include "tests/support/http_test_client.h"
#include "tests/support/soon.h"

namespace hearth {
namespace {

using test::fetch;
using test::HttpAnswer;
using test::HttpTestClient;
using test::make_request;
using test::soon;
using testing::HasSubstr;
using namespace std::chrono_literals;

// Answers with what it was asked; /wait answers when the client is gone, /stream writes until then.
class Echo : public HttpHandler {
 public:
  std::optional<Reply> refuse(Request& request) override {
    if (request.path == "/refused") return error_reply(not_found("nothing here"));
    request.streams_body = request.path.starts_with("/upload");
    return std::nullopt;
  }
  Reply handle(const Request& request) override {
    if (request.path == "/error") throw invalid_argument("it is wrong");
    if (request.path == "/bug") throw std::runtime_error("secret path");
    if (request.path == "/wait") return wait(request);
    if (request.streams_body) return upload(request);
    if (request.path == "/stream")
      return {.content_type = "text/event-stream", .stream = [this](BodyWriter& body) { write_on(body); }};
    return json_reply({{"method", request.method},
                       {"path", request.path},
                       {"query", request.query},
                       {"body", request.body},
                       {"secret", request.header("x-secret").value_or("")}});
  }
  void decorate(const Request&, Reply&) override {}
  void finished(const Request&, int, double) override { ++finished_count; }

  std::atomic<int> waiting{0}, gone{0}, stream_ended{0}, finished_count{0};

 private:
  // How many bytes came; /upload-picky refuses an 'x', /upload-unread does not look.
  static Reply upload(const Request& request) {
    size_t bytes = 0;
    if (request.path == "/upload-unread") return json_reply({{"bytes", 0}});
    request.body_reader->read([&](std::string_view piece) {
      if (request.path == "/upload-picky" && piece.find('x') != std::string_view::npos) throw invalid_argument("an x");
      bytes += piece.size();
    });
    return json_reply({{"bytes", bytes}, {"body", request.body}});
  }
  Reply wait(const Request& request) {
    std::mutex mutex;
    std::condition_variable left;
    bool is_gone = false;
    const std::shared_ptr<void> watch = request.client->on_gone([&] {
      const std::lock_guard lock(mutex);
      is_gone = true;
      left.notify_all();
    });
    ++waiting;
    std::unique_lock lock(mutex);
    if (left.wait_for(lock, 30s, [&] { return is_gone; })) ++gone;
    return {};
  }
  void write_on(BodyWriter& body) {
    while (body.write("data: 1\n\n")) std::this_thread::sleep_for(1ms);
    ++stream_ended;
  }
};

class HttpServerTest : public testing::Test {
 protected:
  void start(const HttpLimits& limits = {}) {
    server = std::make_unique<HttpServer>(echo, limits);
    server->start("127.0.0.1", 0);
    port = server->port();
  }
  Echo echo;
  std::unique_ptr<HttpServer> server;
  int port = 0;
};

TEST_F(HttpServerTest, DecodesThePathOnceAndKeepsTheQuery) {
  start();
  const auto reply = fetch(port, "GET", "/v1/models/org%2Fname%2541?a=%20b").json();
  EXPECT_EQ(reply["path"], "/v1/models/org/name%41");
  EXPECT_EQ(reply["query"], "a=%20b");
  EXPECT_EQ(fetch(port, "GET", "/" + std::string(7000, 'a')).status, 200);
}

TEST_F(HttpServerTest, EveryReplyHasAnIdAndItsTime) {
  start();
  for (const char* path : {"/", "/error", "/refused", "/bug"}) {
    const HttpAnswer answer = fetch(port, "GET", path);
    EXPECT_TRUE(answer.headers.at("x-request-id").starts_with("req_")) << path;
    EXPECT_TRUE(answer.headers.contains("openai-processing-ms")) << path;
  }
}

TEST_F(HttpServerTest, ErrorsBecomeObjectsAndForeignOnesStayInTheLog) {
  start();
  EXPECT_EQ(fetch(port, "GET", "/error").status, 400);
  EXPECT_EQ(fetch(port, "GET", "/error").error_code(), "");
  const HttpAnswer bug = fetch(port, "GET", "/bug");
  EXPECT_EQ(bug.status, 500);
  EXPECT_EQ(bug.error_code(), "internal_error");
  EXPECT_EQ(bug.headers.at("x-should-retry"), "false");
  EXPECT_THAT(bug.body, testing::Not(HasSubstr("secret")));
}

TEST_F(HttpServerTest, TakesBodiesWhateverTheirTypeAndHoweverTheyCome) {
  start();
  const std::string large(300'000, 'x');
  EXPECT_EQ(fetch(port, "POST", "/", large, {"Content-Type: application/x-www-form-urlencoded"}).json()["body"], large);
  EXPECT_EQ(fetch(port, "POST", "/", "5\r\nhello\r\n0\r\n\r\n").json()["body"], "5\r\nhello\r\n0\r\n\r\n");
  HttpTestClient chunked(port);
  chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.read_answer().json()["body"], "hello!");
  HttpTestClient careful(port);
  careful.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(careful.read(20), HasSubstr("100 Continue"));
  careful.send("ok");
  EXPECT_EQ(careful.read_answer().json()["body"], "ok");
  EXPECT_EQ(fetch(port, "POST", "/").json()["body"], "");
}

TEST_F(HttpServerTest, AConnectionServesManyRequests) {
  start();
  HttpTestClient client(port);
  for (int i = 0; i < 20; ++i) {
    client.send(make_request("POST", "/", "body " + std::to_string(i)));
    EXPECT_EQ(client.read_answer().json()["body"], "body " + std::to_string(i));
  }
  client.send(make_request("GET", "/a") + make_request("GET", "/b"));  // pipelined
  EXPECT_EQ(client.read_answer().json()["path"], "/a");
  EXPECT_EQ(client.read_answer().json()["path"], "/b");
}

TEST_F(HttpServerTest, HeadHasTheHeadersOfGet) {
  start();
  HttpTestClient client(port);
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string reply = client.read();
  EXPECT_THAT(reply, HasSubstr("HTTP/1.1 200"));
  EXPECT_TRUE(reply.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, NothingIsCompressed) {
  start();
  EXPECT_FALSE(fetch(port, "GET", "/", "", {"Accept-Encoding: gzip, br"}).headers.contains("content-encoding"));
}

TEST_F(HttpServerTest, RefusesBodiesThatAreTooLargeOrUnclear) {
  start({.max_body_bytes = 1000});
  EXPECT_EQ(fetch(port, "POST", "/", std::string(1001, 'x')).error_code(), "request_too_large");
  EXPECT_EQ(fetch(port, "POST", "/", std::string(1000, 'x')).status, 200);
  EXPECT_EQ(fetch(port, "POST", "/", std::string(900'000, 'x')).status, 413);
  EXPECT_EQ(fetch(port, "POST", "/", "", {"Content-Length: -1"}).status, 400);
  EXPECT_EQ(fetch(port, "POST", "/", "", {"Content-Length: 5, 6"}).status, 400);
  EXPECT_EQ(fetch(port, "POST", "/", "", {"Content-Length: 99999999999999999999999"}).status, 413);
  EXPECT_EQ(fetch(port, "POST", "/", "", {"Content-Length: 2", "Transfer-Encoding: chunked"}).status, 400);
  EXPECT_EQ(fetch(port, "POST", "/", "", {"Transfer-Encoding: gzip, chunked"}).status, 400);
  EXPECT_EQ(fetch(port, "POST", "/", "x", {"Content-Encoding: gzip"}).status, 415);
  EXPECT_EQ(fetch(port, "POST", "/", "x", {"Content-Type: multipart/form-data; boundary=b"}).status, 415);
  EXPECT_EQ(fetch(port, "GET", "/", "x").status, 400);
  HttpTestClient chunked(port);
  chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + std::string(1024, 'x') +
               "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.read_answer().status, 413);
}

TEST_F(HttpServerTest, ARefusedBodyIsNotTakenForTheNextRequest) {
  start();
  HttpTestClient client(port);
  client.send(make_request("POST", "/refused", make_request("GET", "/smuggled")));
  EXPECT_EQ(client.read_answer().status, 404);
  EXPECT_EQ(client.read_answer().status, 0);
}

TEST_F(HttpServerTest, RefusesBeforeTheBodyIsSent) {
  start();
  HttpTestClient client(port);
  client.send("POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
  const HttpAnswer answer = client.read_answer();
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.error_code(), "not_found");
}

TEST_F(HttpServerTest, AnswersWhatIsNoHttpWithAnErrorObject) {
  start();
  for (const char* bytes : {"BREW / HTTP/1.1\r\n\r\n", "GET / HTTP/3.9\r\n\r\n", "nonsense\r\n\r\n"}) {
    HttpTestClient client(port);
    client.send(bytes);
    EXPECT_EQ(client.read_answer().error_code(), "malformed_request") << bytes;
  }
  HttpTestClient client(port);
  client.send("GET / HTTP/1.1\r\nRange: lines=1\r\n\r\n");
  EXPECT_GE(client.read_answer().status, 400);
}

TEST_F(HttpServerTest, CutsOffClientsThatSendSlowly) {
  start({.idle_timeout = 400ms, .header_timeout = 300ms, .body_timeout = 300ms});
  HttpTestClient silent(port), headers(port), body(port);
  headers.send("GET / HTTP/1.1\r\nHost: x\r\n");
  body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
  for (int i = 0; i < 40 && headers.send("a") && body.send("b"); ++i) std::this_thread::sleep_for(50ms);
  EXPECT_EQ(headers.read_answer().error_code(), "request_timeout");
  EXPECT_EQ(body.read_answer().error_code(), "request_timeout");
  EXPECT_TRUE(silent.closed_by_server(5));
}

TEST_F(HttpServerTest, StreamsBodiesUnderALimitOfTheirOwn) {
  start({.max_body_bytes = 1000, .max_upload_bytes = 3'000'000});
  const auto bytes = [](const HttpAnswer& answer) { return answer.json().value("bytes", -1); };
  EXPECT_EQ(bytes(fetch(port, "POST", "/upload", std::string(3'000'000, 'x'))), 3'000'000);
  EXPECT_EQ(fetch(port, "POST", "/upload", std::string(1000, 'x')).json()["body"], "");
  EXPECT_EQ(bytes(fetch(port, "POST", "/upload", "x", {"Content-Type: multipart/form-data; boundary=b"})), 1);
  EXPECT_EQ(bytes(fetch(port, "POST", "/upload")), 0);
  EXPECT_EQ(fetch(port, "POST", "/upload", "", {"Content-Length: 3000001"}).error_code(), "request_too_large");
  EXPECT_EQ(fetch(port, "POST", "/upload", "x", {"Content-Encoding: gzip"}).status, 415);
  HttpTestClient chunked(port);
  chunked.send("POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(bytes(chunked.read_answer()), 5);
  chunked.send(make_request("GET", "/after"));
  EXPECT_EQ(chunked.read_answer().json()["path"], "/after");
}

TEST_F(HttpServerTest, AStreamedBodyThatIsNotReadToItsEndEndsTheConnection) {
  start();
  for (const auto& [path, status] : {std::pair{"/upload-picky", 400}, {"/upload-unread", 200}}) {
    HttpTestClient client(port);
    client.send(make_request("POST", path, std::string(100'000, 'x') + make_request("GET", "/smuggled")));
    const HttpAnswer answer = client.read_answer();
    EXPECT_EQ(answer.status, status) << path;
    EXPECT_EQ(answer.headers.at("connection"), "close") << path;
    EXPECT_EQ(client.read_answer().status, 0) << path;
  }
}

// A sender of 2,000 bytes every 20 ms takes longer than the upload timeout in all and is let through, since it sends a
// step's 5,000 bytes well within it; one that sends a byte every 20 ms is cut off.
TEST_F(HttpServerTest, AStreamedBodyMustKeepAMinimumRate) {
  start({.body_timeout = 100ms, .upload_timeout = 1000ms, .upload_step_bytes = 5'000});
  HttpTestClient steady(port), slow(port);
  steady.send("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n");
  slow.send("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(steady.send(std::string(2'000, 'x')));
    slow.send("x");
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(steady.read_answer().json()["bytes"], 200'000);
  EXPECT_EQ(slow.read_answer().error_code(), "request_timeout");
}

TEST_F(HttpServerTest, LimitsHeaders) {
  start({.max_header_bytes = 4096});
  std::string request = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 100; ++i) request += "X-" + std::to_string(i) + ": " + std::string(50, 'x') + "\r\n";
  HttpTestClient client(port);
  client.send(request + "\r\n");
  EXPECT_EQ(client.read_answer().status, 431);
}

TEST_F(HttpServerTest, RefusesConnectionsBeyondTheLimitAndRecovers) {
  start({.max_connections = 2});
  {
    HttpTestClient first(port), second(port);
    first.send(make_request("GET", "/wait"));
    second.send(make_request("GET", "/wait"));
    ASSERT_TRUE(soon([&] { return echo.waiting == 2; }));
    HttpTestClient third(port);
    const HttpAnswer answer = third.read_answer();
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.error_code(), "server_overloaded");
    EXPECT_EQ(answer.headers.at("retry-after"), "1");
  }
  EXPECT_TRUE(soon([&] { return fetch(port, "GET", "/").status == 200; }));
}

TEST(WorkerPool, ThreadsWithoutWorkEnd) {
  WorkerPool pool(3, 20ms);
  std::atomic<int> done{0};
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(pool.try_run([&] {
        std::this_thread::sleep_for(10ms);
        ++done;
      }));
    EXPECT_FALSE(pool.try_run([] {}));
    EXPECT_TRUE(soon([&] { return pool.threads() == 0; }));
  }
  EXPECT_EQ(done, 9);
  ASSERT_TRUE(pool.try_run([&] { ++done; }));
  pool.shutdown();
  EXPECT_EQ(done, 10);
  EXPECT_FALSE(pool.try_run([] {}));
}

TEST_F(HttpServerTest, IdleConnectionsMakeRoom) {
  start({.max_connections = 2});
  HttpTestClient first(port), second(port);
  for (HttpTestClient* client : {&first, &second}) {
    client->send(make_request("GET", "/"));
    EXPECT_EQ(client->read_answer().status, 200);
  }
  EXPECT_TRUE(soon([&] { return fetch(port, "GET", "/").status == 200; }));
}

TEST_F(HttpServerTest, NoticesThatAClientLeavesWhileItsRequestIsBeingHandled) {
  start();
  HttpTestClient client(port);
  client.send(make_request("POST", "/wait", "body"));
  ASSERT_TRUE(soon([&] { return echo.waiting == 1; }));
  client.hang_up();
  EXPECT_TRUE(soon([&] { return echo.gone == 1; }));
}

TEST_F(HttpServerTest, EndsAStreamWhenItsClientLeaves) {
  start();
  HttpTestClient client(port);
  client.send(make_request("GET", "/stream"));
  EXPECT_THAT(client.read(100), HasSubstr("text/event-stream"));
  client.hang_up();
  EXPECT_TRUE(soon([&] { return echo.stream_ended == 1; }));
}

TEST_F(HttpServerTest, StreamsToHttp10WithoutChunks) {
  start();
  HttpTestClient client(port);
  client.send("GET /stream HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.read(400),
              testing::AllOf(HasSubstr("data: 1\n\ndata: 1\n\n"), testing::Not(HasSubstr("chunked"))));
}

TEST_F(HttpServerTest, StopEndsEverythingAtOnce) {
  start();
  HttpTestClient waiting(port), streaming(port), idle(port);
  waiting.send(make_request("GET", "/wait"));
  streaming.send(make_request("GET", "/stream"));
  ASSERT_TRUE(soon([&] { return echo.waiting == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  server->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_EQ(echo.gone, 1);
}

TEST_F(HttpServerTest, SaysThatThePortIsTaken) {
  start();
  HttpServer second(echo);
  try {
    second.start("127.0.0.1", port);
    FAIL() << "two servers on one port";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  }
}

}  // namespace
}  // namespace hearth
