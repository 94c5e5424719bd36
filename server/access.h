// What browsers may do: the Host header of local binds, and pages of other origins. Keys are server/api_keys.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_types.h"

namespace hearth {

// Whether a request with this Host header may reach a daemon that listens on `bound`. On a loopback bind only loopback
// names pass: a page whose name was rebound to 127.0.0.1 sends its own name.
bool is_host_allowed(std::optional<std::string_view> host, std::string_view bound);

// Answers to browsers about pages of other origins. Without origins there are no CORS headers at all.
class Cors {
 public:
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}
  // False for a page of an origin that is neither this server's own nor one of these. A browser sends some of its
  // requests all the same, and only keeps the answers from it.
  bool admits(const Request& request) const;
  // The reply to OPTIONS, with or without a key.
  Reply preflight(const Request& request) const;
  void decorate(const Request& request, Reply& reply) const;

 private:
  bool is_configured(std::string_view origin) const;

  std::vector<std::string> origins_;
};

}  // namespace hearth
