// Who may call what, and how often: every route of the table, keys of the configuration and of a store, limits of a
// key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/api_keys.h"
#include "server/rate_limiter.h"
#include "server/routes.h"
#include "tests/server/test_app.h"

namespace hearth {
namespace {

using namespace std::chrono_literals;
using test::fetch;
using test::HttpAnswer;
using test::HttpTestClient;
using test::make_request;
using test::soon;
using test::TestApp;
using testing::AllOf;
using testing::HasSubstr;

struct FakeKeys : KeyStore {
  std::shared_ptr<const Keys> keys() const override { return std::make_shared<const Keys>(list); }
  void used(const ApiKey& key) override { last_used = key.name; }
  Keys list;
  std::string last_used;
};

ApiKey key(const std::string& text, const std::string& scopes) {
  return {.name = "name-of-" + text, .digest = digest_of(text), .scopes = parse_scopes(scopes)};
}

TEST(ApiKeys, AcceptTheirOwnAndNothingElse) {
  const ApiKeys keys({"alpha", "beta"});
  EXPECT_TRUE(keys.find("Bearer alpha"));
  EXPECT_EQ(keys.find("bearer beta ")->name, "configured#2");
  EXPECT_TRUE(keys.find("BEARER alpha")->scopes.allow(Scope::kTrain));
  for (const char* wrong :
       {"Bearer gamma", "Bearer alph", "Bearer alphaa", "alpha", "Basic alpha", "Bearer ", "", "Bearer"})
    EXPECT_FALSE(keys.find(wrong)) << wrong;
  EXPECT_FALSE(keys.find(std::nullopt));
  EXPECT_TRUE(keys.find(std::nullopt, "alpha") && keys.find("Bearer wrong", "beta") &&
              keys.find("Bearer beta", "wrong"));
  EXPECT_FALSE(keys.find(std::nullopt, "Bearer alpha") || keys.find(std::nullopt, "") || keys.find("alpha", "wrong"));
  EXPECT_FALSE(ApiKeys({}).required());
}

TEST(ApiKeys, OfAStoreHoldUntilTheyAreRevokedOrExpire) {
  FakeKeys store;
  const ApiKeys keys({}, &store);
  EXPECT_FALSE(keys.required());
  store.list = {key("one", "infer"), key("two", "infer")};
  EXPECT_EQ(keys.find("Bearer one")->name, "name-of-one");
  EXPECT_EQ(store.last_used, "name-of-one");
  store.list[0].expires_at = unix_milliseconds() - 1;
  store.list[1].revoked_at = unix_milliseconds() - 1;
  EXPECT_FALSE(keys.find("Bearer one") || keys.find("Bearer two"));
  EXPECT_TRUE(keys.required()) << "a daemon whose keys were all revoked lets nobody in";
  store.list[0].expires_at = unix_milliseconds() + 60'000;
  EXPECT_TRUE(keys.find("Bearer one"));
}

// A path that the pattern matches.
std::string path_of(const Route& route) {
  std::string path(route.pattern);
  if (const size_t begin = path.find('{'); begin != std::string::npos)
    path.replace(begin, path.find('}') + 1 - begin, "some-id");
  return path;
}

TEST(Access, EveryRouteAsksForAKeyOfItsScope) {
  auto store = std::make_shared<FakeKeys>();
  store->list = {key("i", "infer"), key("t", "train"), key("a", "admin")};
  const TestApp daemon([&](AppOptions& options) {
    options.keys = store;
    options.api_keys = {"configured"};
  });
  HttpTestClient client(daemon.app->port());
  const auto status = [&](std::string_view method, const std::string& path, const std::string& authorization) {
    std::vector<std::string> headers;
    if (!authorization.empty()) headers.push_back("Authorization: Bearer " + authorization);
    return fetch(daemon.app->port(), method, path, method == "POST" ? "{}" : "", headers).status;
  };
  for (const Route& route : routes()) {
    if (route.is_public) {
      EXPECT_THAT(status(route.method, path_of(route), ""), testing::AnyOf(200, 404)) << route.pattern;
      continue;
    }
    std::vector<std::string> paths = {path_of(route)};
    if (paths[0].starts_with("/v1")) paths.push_back(paths[0].substr(3));
    if (paths[0] != "/") paths.push_back(paths[0] + "/");
    for (const std::string& path : paths) {
      const std::string where = std::string(route.method) + " " + path;
      EXPECT_EQ(status(route.method, path, ""), 401) << where;
      EXPECT_EQ(status(route.method, path, "wrong"), 401) << where;
      if (route.method == "GET") {
        EXPECT_EQ(status("HEAD", path, ""), 401) << where;
      }
      EXPECT_EQ(status("OPTIONS", path, ""), 204) << where;
      for (const ApiKey& one : store->list) {
        const std::string text = one.name.substr(std::string("name-of-").size());
        const int got = status(route.method, path, text);
        EXPECT_NE(got, 401) << where << " with " << text;
        EXPECT_EQ(got == 403, !one.scopes.allow(route.scope)) << where << " with " << text << ": " << got;
      }
    }
  }
  EXPECT_EQ(status("GET", "/v1/nothing", ""), 401) << "what there is, is nobody's business either";
  EXPECT_EQ(status("GET", "/v1/nothing", "configured"), 404);
}

TEST(Access, ALackOfScopeNamesIt) {
  auto store = std::make_shared<FakeKeys>();
  store->list = {key("t", "train")};
  const TestApp daemon([&](AppOptions& options) { options.keys = store; });
  const HttpAnswer refused = fetch(daemon.app->port(), "GET", "/v1/models", "", {"Authorization: Bearer t"});
  EXPECT_EQ(refused.error_code(), "permission_denied");
  EXPECT_EQ(refused.json()["error"]["type"], "permission_error");
  EXPECT_EQ(refused.json()["error"]["message"],
            "GET /v1/models needs the scope 'infer', which the key 'name-of-t' lacks; it has train");
}

std::string header_of(const Admission& admission, const std::string& name) {
  const auto found = admission.headers.find(name);
  return found == admission.headers.end() ? "none" : found->second;
}

TEST(RateLimiter, AMinutesNumberAtOnceAndThenOneByOne) {
  RateLimiter limiter({.requests_per_minute = 3});
  const ApiKey one = key("one", "infer"), other = key("other", "infer");
  RateLimiter::Clock::time_point now = RateLimiter::Clock::now();
  for (const char* remaining : {"2", "1", "0"}) {
    const auto admission = limiter.admit(&one, now);
    ASSERT_FALSE(admission->refusal);
    EXPECT_EQ(header_of(*admission, "x-ratelimit-limit-requests"), "3");
    EXPECT_EQ(header_of(*admission, "x-ratelimit-remaining-requests"), remaining);
  }
  const auto refused = limiter.admit(&one, now + 5s);
  ASSERT_TRUE(refused->refusal);
  EXPECT_EQ(refused->refusal->details().status, 429);
  EXPECT_EQ(refused->refusal->details().retry_after_seconds, 15) << "20 s for one, 5 of them over";
  EXPECT_EQ(header_of(*refused, "x-ratelimit-reset-requests"), "55s");
  EXPECT_FALSE(limiter.admit(&other, now + 5s)->refusal) << "each key has its own";
  EXPECT_TRUE(limiter.admit(&one, now + 19s)->refusal);
  EXPECT_FALSE(limiter.admit(&one, now + 20s)->refusal) << "at the time it was told";
  EXPECT_EQ(header_of(*limiter.admit(&one, now + 1h), "x-ratelimit-remaining-requests"), "2") << "never more than full";
}

TEST(RateLimiter, AKeysOwnLimitCountsMore) {
  RateLimiter limiter({.requests_per_minute = 1});
  ApiKey own = key("one", "infer");
  const auto now = RateLimiter::Clock::now();
  own.requests_per_minute = 0;
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limiter.admit(&own, now)->refusal);
  EXPECT_FALSE(limiter.admit(nullptr, now)->refusal);
  EXPECT_TRUE(limiter.admit(nullptr, now)->refusal) << "clients without keys are one";
  RateLimiter none({});
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(none.admit(nullptr, now)->refusal);
}

TEST(RateLimiter, RequestsInFlightAreReleased) {
  RateLimiter limiter({.requests_in_flight = 2});
  const auto now = RateLimiter::Clock::now();
  auto first = limiter.admit(nullptr, now - 10s), second = limiter.admit(nullptr, now);
  EXPECT_EQ(limiter.admit(nullptr, now)->refusal->details().retry_after_seconds, 1) << "nothing is known yet";
  first = nullptr;  // took 10 s
  const auto third = limiter.admit(nullptr, now);
  ASSERT_FALSE(third->refusal);
  EXPECT_EQ(limiter.admit(nullptr, now)->refusal->details().retry_after_seconds, 4)
      << "the first of two that take 10 s each, evenly on their way";
}

TEST(Access, TooManyRequestsAreToldWhenToComeBack) {
  const TestApp daemon([](AppOptions& options) { options.rate_limits = {.requests_per_minute = 2}; });
  EXPECT_EQ(daemon.get("/v1/models").headers.at("x-ratelimit-remaining-requests"), "1");
  EXPECT_EQ(daemon.get("/v1/models").status, 200);
  const HttpAnswer refused = daemon.get("/v1/models");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.error_code(), "rate_limit_exceeded");
  EXPECT_EQ(refused.json()["error"]["type"], "requests");
  EXPECT_GE(std::stoi(refused.headers.at("retry-after")), 28);
  EXPECT_EQ(refused.headers.at("x-ratelimit-remaining-requests"), "0");
  EXPECT_EQ(daemon.get("/health").status, 200) << "probes are not counted";
}

TEST(Access, ARequestIsInFlightUntilItsStreamEndsOrItsClientLeaves) {
  TestApp daemon([](AppOptions& options) { options.rate_limits = {.requests_in_flight = 1}; });
  *daemon.step_milliseconds = 20;
  HttpTestClient client(daemon.app->port());
  client.send(make_request("POST", "/v1/completions",
                           R"({"model": "tiny", "prompt": "a", "max_tokens": 400, "stream": true})"));
  client.read(200);
  const HttpAnswer refused = daemon.get("/v1/models");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("1 requests at a time"));
  client.hang_up();
  EXPECT_TRUE(soon([&] { return daemon.get("/v1/models").status == 200; }, 5s));
}

TEST(Access, BodiesAreLimitedByRoute) {
  const TestApp daemon;
  const std::string body = "{\"content\": \"" + std::string(5 << 20, 'a') + "\"}";
  const HttpAnswer refused = fetch(daemon.app->port(), "POST", "/tokenize", body);
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.error_code(), "request_too_large");
  HttpTestClient client(daemon.app->port());
  client.send("POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n500000\r\n");
  client.send(std::string(0x500000, 'a') + "\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 413) << "chunks do not tell before";
  EXPECT_NE(fetch(daemon.app->port(), "POST", "/v1/completions", body).status, 413);
}

}  // namespace
}  // namespace hearth
