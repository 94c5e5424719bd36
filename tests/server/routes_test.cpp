#include "server/routes.h"

#include <set>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/access.h"

namespace hearth {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Routes, AreFoundWithAndWithoutPrefixAndTrailingSlash) {
  const auto pattern = [](std::string_view method, std::string_view path) {
    const RouteMatch found = find_route(method, path);
    return found.route ? std::string(found.route->pattern) : "none, " + found.other_methods;
  };
  EXPECT_EQ(pattern("GET", "/v1/models"), "/v1/models");
  EXPECT_EQ(pattern("GET", "/models"), "/v1/models");
  EXPECT_EQ(pattern("GET", "/v1/models/"), "/v1/models");
  EXPECT_EQ(pattern("POST", "/chat/completions/"), "/v1/chat/completions");
  EXPECT_EQ(pattern("GET", "/"), "/");
  EXPECT_EQ(pattern("GET", "/v1"), "/");
  EXPECT_EQ(pattern("GET", "/v1/"), "/");
  EXPECT_EQ(pattern("GET", "/health"), "/health");
  EXPECT_EQ(pattern("GET", "/v1/health"), "none, ");
  EXPECT_EQ(pattern("GET", "/v1/v1/models"), "none, ");
  EXPECT_EQ(pattern("GET", "/v1/completions"), "none, POST");
  EXPECT_EQ(pattern("DELETE", "/v1/models"), "none, GET");
  EXPECT_EQ(pattern("DELETE", "/v1/models/ft:a:b"), "/v1/models/{model}");
  EXPECT_EQ(pattern("POST", "/v1/models/a"), "none, GET, DELETE");
}

TEST(Routes, AnIdMayHaveSlashesAndColons) {
  EXPECT_EQ(find_route("GET", "/v1/models/org/name:adapter").argument, "org/name:adapter");
  EXPECT_EQ(find_route("GET", "/models/m").argument, "m");
}

TEST(Routes, AnArgumentIsOneNameOfThePathUnlessItIsAModel) {
  const auto matched = [](std::string_view pattern, std::string_view path) {
    return match_pattern(pattern, path).value_or("none");
  };
  EXPECT_EQ(matched("/jobs/{id}/events", "/jobs/a-1/events"), "a-1");
  EXPECT_EQ(matched("/jobs/{id}", "/jobs/a-1"), "a-1");
  EXPECT_EQ(matched("/models/{model}", "/models/org/name/events"), "org/name/events");
  for (const char* other :
       {"/jobs/a-1", "/jobs//events", "/jobs/events", "/jobs/a/b/events", "/jobs/a-1/events/", "/x"})
    EXPECT_EQ(matched("/jobs/{id}/events", other), "none") << other;
  EXPECT_EQ(matched("/jobs/{id}", "/jobs/a-1/events"), "none");
  EXPECT_EQ(matched("/jobs/{id}", "/jobs/"), "none");
}

TEST(Routes, OnlyProbesAndThePageArePublic) {
  const std::set<std::string_view> expected = {"/", "/web/{file}", "/health", "/healthz", "/readyz"};
  for (const Route& route : routes()) EXPECT_EQ(route.is_public, expected.contains(route.pattern)) << route.pattern;
}

TEST(HostCheck, LoopbackBindsAnswerToLoopbackNames) {
  for (const char* host : {"localhost", "localhost:8000", "127.0.0.1:80", "[::1]:8000", "app.localhost", "LOCALHOST"})
    EXPECT_TRUE(is_host_allowed(host, "127.0.0.1")) << host;
  for (const char* host :
       {"evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[2001:db8::1]", "", "localhost.evil.example"})
    EXPECT_FALSE(is_host_allowed(host, "127.0.0.1")) << host;
  EXPECT_TRUE(is_host_allowed("evil.example", "0.0.0.0"));
  EXPECT_TRUE(is_host_allowed(std::nullopt, "127.0.0.1"));
}

Request browser_request(const char* origin) {
  Request request;
  request.headers.emplace("Origin", origin);
  request.headers.emplace("Access-Control-Request-Headers", "Authorization, X-Stainless-Helper-Method, x-evil\r\n");
  return request;
}

TEST(Cors, AdmitsItsOwnPagesAndTheConfiguredOnes) {
  const auto admits = [](const std::vector<std::string>& origins, const char* origin) {
    Request request = browser_request(origin);
    request.headers.emplace("Host", "127.0.0.1:8000");
    return Cors(origins).admits(request);
  };
  for (const char* own : {"http://127.0.0.1:8000", "https://127.0.0.1:8000"}) EXPECT_TRUE(admits({}, own));
  for (const char* foreign : {"https://a.example", "http://127.0.0.1:8001", "http://127.0.0.1", "null", ""})
    EXPECT_FALSE(admits({"https://b.example"}, foreign)) << foreign;
  EXPECT_TRUE(admits({"https://a.example"}, "https://a.example"));
  EXPECT_TRUE(admits({"*"}, "null"));
  EXPECT_TRUE(Cors({}).admits({}));
}

TEST(Cors, IsOffUnlessConfigured) {
  Reply reply = Cors({}).preflight(browser_request("https://a.example"));
  Cors({}).decorate(browser_request("https://a.example"), reply);
  EXPECT_EQ(reply.status, 204);
  for (const auto& [name, value] : reply.headers) EXPECT_THAT(name, Not(HasSubstr("Access-Control")));
}

TEST(Cors, AllowsTheConfiguredOriginsAndTheirClientsHeaders) {
  const Cors cors({"https://a.example"});
  const Request request = browser_request("https://a.example");
  Reply reply = cors.preflight(request);
  cors.decorate(request, reply);
  EXPECT_EQ(reply.headers.find("Access-Control-Allow-Origin")->second, "https://a.example");
  const std::string allowed = reply.headers.find("Access-Control-Allow-Headers")->second;
  EXPECT_THAT(allowed, testing::AllOf(HasSubstr("authorization"), HasSubstr("x-stainless-helper-method"),
                                      Not(HasSubstr("evil"))));
  Reply other;
  cors.decorate(browser_request("https://b.example"), other);
  EXPECT_FALSE(other.headers.contains("Access-Control-Allow-Origin"));
}

}  // namespace
}  // namespace hearth
