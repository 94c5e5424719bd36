// Where a request may go is asked for the very address that is connected to, at every hop.
#include "runtime/http_client/http_client.h"

#include <cstdlib>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "runtime/http_client/public_address.h"
#include "tests/support/one_answer_server.h"

namespace hearth {
namespace {

using test::OneAnswerServer;

HttpRequest to(const std::string& url) {
  HttpRequest request;
  request.url = url;
  return request;
}

// Only 127.0.0.1 itself.
bool is_first_loopback(const sockaddr& address) {
  sockaddr_in four;
  std::memcpy(&four, &address, sizeof four);
  return four.sin_family == AF_INET && ntohl(four.sin_addr.s_addr) == INADDR_LOOPBACK;
}

TEST(HttpClient, NoSpellingOfALoopbackAddressIsPublic) {
  OneAnswerServer server;
  server.answers["/"] = OneAnswerServer::ok("hi");
  for (const char* host : {"127.0.0.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.1", "localhost",
                           "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "0", "[::1]", "[::]"}) {
    HttpRequest request = to(server.url(host, "/"));
    request.may_connect = is_public_address;
    EXPECT_THROW(HttpClient().send(request), NotAllowed) << host;
  }
  EXPECT_EQ(server.connections(), 0);
  for (const char* host : {"127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost"})
    EXPECT_EQ(HttpClient().send(to(server.url(host, "/"))).body, "hi") << host << ": they do lead there";
}

TEST(HttpClient, ARedirectGoesNoFurtherThanTheFirstRequestMay) {
  OneAnswerServer server;
  server.answers["/same"] = OneAnswerServer::redirect(server.url("127.0.0.1", "/"));
  server.answers["/other"] = OneAnswerServer::redirect(server.url("127.0.0.2", "/"));
  server.answers["/file"] = OneAnswerServer::redirect("file:///etc/passwd");
  server.answers["/loop"] = OneAnswerServer::redirect(server.url("127.0.0.1", "/loop"));
  server.answers["/"] = OneAnswerServer::ok("hi");
  HttpClient client;
  HttpRequest request = to(server.url("127.0.0.1", "/same"));
  request.may_connect = is_first_loopback;
  EXPECT_EQ(client.send(request).body, "hi");
  request.url = server.url("127.0.0.1", "/other");
  EXPECT_THROW(client.send(request), NotAllowed);
  request.url = server.url("127.0.0.1", "/file");
  EXPECT_THROW(client.send(request), Error);
  request.may_connect = {};
  EXPECT_EQ(client.send(to(server.url("127.0.0.1", "/other"))).body, "hi") << "it does lead there";
  const int before = server.connections();
  EXPECT_THROW(client.send(to(server.url("127.0.0.1", "/loop"))), Error);
  EXPECT_EQ(server.connections() - before, 6);
}

TEST(HttpClient, HostsAreAskedAboutAtEveryHop) {
  OneAnswerServer server;
  server.answers["/other"] = OneAnswerServer::redirect(server.url("127.0.0.1", "/"));
  server.answers["/"] = OneAnswerServer::ok("hi");
  HttpRequest request = to(server.url("LOCALHOST", "/"));
  request.may_ask = [&](const std::string& host, int port) { return host == "localhost" && port == server.port(); };
  EXPECT_EQ(HttpClient().send(request).body, "hi");
  request.url = server.url("localhost", "/other");
  EXPECT_THROW(HttpClient().send(request), NotAllowed);
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, NoProxyStandsBetweenAnAddressAndItsCheck) {
  OneAnswerServer proxy;
  ::setenv("http_proxy", proxy.url("127.0.0.1", "").c_str(), 1);
  HttpRequest request = to("http://192.168.0.1/");
  request.may_connect = is_public_address;
  EXPECT_THROW(HttpClient().send(request), NotAllowed);
  ::unsetenv("http_proxy");
  EXPECT_EQ(proxy.connections(), 0);
}

TEST(HttpClient, TotalTimeEndsASilentServer) {
  OneAnswerServer server;
  server.answers["/"] = "";
  HttpRequest request = to(server.url("127.0.0.1", "/"));
  request.total_time = std::chrono::milliseconds(100);
  EXPECT_THROW(HttpClient().send(request), Error);
}

}  // namespace
}  // namespace hearth
