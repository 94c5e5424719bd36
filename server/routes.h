// Which URL does what: the table of all routes, and who may call them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "server/access.h"
#include "server/api_keys.h"
#include "server/http_server.h"
#include "server/http_types.h"
#include "server/keys/scope.h"
#include "server/rate_limiter.h"

namespace hearth {

class App;
struct AppOptions;

// Gets its body whole, in the request, or takes it as it arrives.
using WholeHandler = Reply (*)(const Request& request, App& app);
using StreamHandler = Reply (*)(const Request& request, BodyReader& body, App& app);
using Handler = std::variant<WholeHandler, StreamHandler>;
using ErrorWriter = Reply (*)(const Request& request, const std::exception& error);

struct Route {
  std::string_view method;  // GET answers HEAD too
  std::string_view
      pattern;  // what begins with /v1 is also found without it; {id} is one name of the path, {model} its rest
  Handler handler;
  Scope scope;                   // that the key must have
  size_t max_body_bytes = 0;     // 0: it takes none
  bool is_public = false;        // needs no key
  ErrorWriter errors = nullptr;  // null: OpenAI's shape
};

std::span<const Route> routes();

// What {id} or {model} of the pattern is in the path, or an empty string; nothing when the path is another.
std::optional<std::string> match_pattern(std::string_view pattern, std::string_view path);

struct RouteMatch {
  const Route* route = nullptr;
  std::string argument;       // what {id} or {model} stands for
  std::string other_methods;  // when there is no route: the methods that this path has, "GET, POST"
};
RouteMatch find_route(std::string_view method, std::string_view path);

// The daemon's API on the HTTP server: access, limits, routes, metrics, and the log of requests.
class Api : public HttpHandler {
 public:
  // `keys` may be null and otherwise outlives it.
  Api(App& app, const AppOptions& options, KeyStore* keys);
  std::optional<Reply> refuse(Request& request) override;
  Reply handle(const Request& request) override;
  Reply error_answer(const Request& request, const std::exception& error) override;
  void decorate(const Request& request, Reply& reply) override;
  void finished(const Request& request, int status, double seconds) override;

 private:
  App& app_;
  const std::string host_;
  ApiKeys keys_;
  RateLimiter limiter_;
  Cors cors_;
};

}  // namespace hearth
