// HTTPS: sessions, streams, clients that leave or never finish the handshake, and certificates that cannot be used.
#include "server/tls.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "server/http_server.h"
#include "tests/support/certificate.h"
#include "tests/support/http_test_client.h"
#include "tests/support/soon.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using test::HttpTestClient;
using test::make_request;
using test::soon;
using testing::HasSubstr;
using namespace std::chrono_literals;

// Echoes the body; /stream writes until the client is gone.
class Echo : public HttpHandler {
 public:
  std::optional<Reply> refuse(Request&) override { return std::nullopt; }
  Reply handle(const Request& request) override {
    if (request.path != "/stream") return {.content_type = "text/plain", .body = "<" + request.body + ">"};
    return {.content_type = "text/plain", .stream = [this](BodyWriter& body) {
              while (body.write("piece")) std::this_thread::sleep_for(1ms);
              ++streams_ended;
            }};
  }
  void decorate(const Request&, Reply&) override {}
  void finished(const Request&, int, double) override {}
  std::atomic<int> streams_ended{0};
};

// Takes any certificate, and remembers whose it was.
class TlsClient {
 public:
  explicit TlsClient(int port, int max_version = TLS1_3_VERSION)
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    SSL_CTX_set_max_proto_version(context_.get(), max_version);
    SSL_CTX_set_min_proto_version(context_.get(), 0);
    SSL_CTX_set_security_level(context_.get(), 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return;
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd_);
    connected = SSL_connect(ssl_.get()) == 1;
  }
  ~TlsClient() { hang_up(); }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  void send(std::string_view bytes) { SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); }
  // Until `text` has come, or the end.
  std::string read_to(std::string_view text) {
    std::string all;
    char data[4096];
    while (all.find(text) == std::string::npos) {
      const int count = SSL_read(ssl_.get(), data, sizeof(data));
      if (count <= 0) break;
      all.append(data, static_cast<size_t>(count));
    }
    return all;
  }
  std::string peer() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    char name[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof(name));
    return name;
  }
  void hang_up() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  bool connected = false;

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  int fd_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, SSL_free};
};

class TlsTest : public testing::Test {
 protected:
  TlsTest() { test::make_certificate(directory.path(), "one"); }
  TlsFiles files(const char* certificate = "one.pem", const char* key = "one.key") const {
    return {directory.path() / certificate, directory.path() / key};
  }
  void start(const HttpLimits& limits = {}) {
    context = std::make_unique<TlsContext>(files());
    server = std::make_unique<HttpServer>(echo, limits, context.get());
    server->start("127.0.0.1", 0);
    port = server->port();
  }
  const test::TemporaryDirectory directory;
  Echo echo;
  std::unique_ptr<TlsContext> context;
  std::unique_ptr<HttpServer> server;
  int port = 0;
};

TEST_F(TlsTest, AConnectionServesManyRequestsOfAnySize) {
  start();
  TlsClient client(port);
  ASSERT_TRUE(client.connected);
  for (size_t size : {1, 16'384, 16'385, 300'000}) {
    const std::string body(size, 'x');
    client.send(make_request("POST", "/", body));
    EXPECT_THAT(client.read_to(">"), HasSubstr("<" + body + ">")) << size;
  }
  client.send(make_request("POST", "/", "a") + make_request("POST", "/", "b"));  // pipelined in one record
  EXPECT_THAT(client.read_to("<b>"), HasSubstr("<a>"));
}

TEST_F(TlsTest, OldVersionsAreRefused) {
  start();
  EXPECT_TRUE(TlsClient(port, TLS1_2_VERSION).connected);
  EXPECT_FALSE(TlsClient(port, TLS1_1_VERSION).connected);
}

TEST_F(TlsTest, EndsAStreamWhenItsClientLeaves) {
  start();
  TlsClient client(port);
  client.send(make_request("GET", "/stream"));
  EXPECT_THAT(client.read_to("piece"), HasSubstr("200"));
  client.hang_up();
  EXPECT_TRUE(soon([&] { return echo.streams_ended == 1; }));
}

TEST_F(TlsTest, CutsOffClientsThatDoNotFinishTheHandshake) {
  start({.header_timeout = 300ms});
  HttpTestClient silent(port), slow(port), nonsense(port);
  nonsense.send("\x16\x03\x01\x7f\xff nonsense");
  slow.send("\x16\x03\x01\x02");  // a ClientHello whose rest comes byte by byte
  for (int i = 0; i < 40 && slow.send(std::string(1, '\0')); ++i) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(silent.closed_by_server(5));
  EXPECT_TRUE(slow.closed_by_server(5));
  EXPECT_TRUE(nonsense.closed_by_server(5));
  EXPECT_TRUE(TlsClient(port).connected);
}

TEST_F(TlsTest, StopEndsHandshakesToo) {
  start({.header_timeout = 60s});
  HttpTestClient silent(port);
  TlsClient idle(port);
  const auto begin = std::chrono::steady_clock::now();
  server->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST_F(TlsTest, TellsPlainHttpToUseHttps) {
  start();
  const auto answer = test::fetch(port, "GET", "/");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.error_code(), "use_https");
}

TEST_F(TlsTest, NewFilesAreTakenAndBrokenOnesAreNot) {
  start();
  EXPECT_EQ(TlsClient(port).peer(), "one");
  const auto replace = [&](const char* file, const std::string& content, std::chrono::seconds age) {
    write_file_atomic(directory.path() / file, content);
    std::filesystem::last_write_time(directory.path() / file, std::filesystem::file_time_type::clock::now() + age);
  };
  replace("one.pem", "broken", 1s);
  EXPECT_EQ(TlsClient(port).peer(), "one");
  test::make_certificate(directory.path(), "two");
  replace("one.key", read_file(directory.path() / "two.key"), 2s);
  replace("one.pem", read_file(directory.path() / "two.pem"), 2s);
  EXPECT_EQ(TlsClient(port).peer(), "two");
}

TEST_F(TlsTest, FilesThatCannotBeUsedAreNamed) {
  const auto message = [&](const TlsFiles& given) -> std::string {
    try {
      TlsContext context_of(given);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.what();
    }
    return "none";
  };
  test::make_certificate(directory.path(), "two");
  write_file_atomic(directory.path() / "text", "no PEM");
  EXPECT_THAT(message(files("missing.pem")), HasSubstr("missing.pem: cannot be read: No such file"));
  EXPECT_THAT(message(files("one.pem", "missing")), HasSubstr("tls_key"));
  EXPECT_THAT(message({directory.path(), directory.path() / "one.key"}), HasSubstr("is a directory"));
  EXPECT_THAT(message(files("text")), HasSubstr("is no certificate in PEM"));
  EXPECT_THAT(message(files("one.pem", "text")), HasSubstr("is no private key in PEM"));
  EXPECT_THAT(message(files("one.pem", "two.key")), HasSubstr("is not the key of tls_certificate"));
  EXPECT_THAT(message({directory.path() / "one.pem", ""}), HasSubstr("tls_key is missing"));
  EXPECT_EQ(message(files()), "none");
}

}  // namespace
}  // namespace hearth
