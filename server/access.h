// Who may talk to the daemon: API keys, the Host header of local binds, and pages of other origins.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_types.h"

namespace hearth {

// Keeps digests only and compares all of them in constant time, so that neither memory nor timing tells a key.
class ApiKeys {
 public:
  explicit ApiKeys(const std::vector<std::string>& keys);
  bool required() const { return !digests_.empty(); }
  // `authorization`: the header, "Bearer KEY".
  bool accepts(std::optional<std::string_view> authorization) const;

 private:
  using Digest = std::array<unsigned char, 32>;  // SHA-256
  static Digest digest(std::string_view key);
  std::vector<Digest> digests_;
};

// Whether a request with this Host header may reach a daemon that listens on `bound`. On a loopback bind only loopback
// names pass: a page whose name was rebound to 127.0.0.1 sends its own name.
bool is_host_allowed(std::optional<std::string_view> host, std::string_view bound);

// Answers to browsers about pages of other origins. Without origins there are no CORS headers at all.
class Cors {
 public:
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}
  // The reply to OPTIONS, with or without a key.
  Reply preflight(const Request& request) const;
  void decorate(const Request& request, Reply& reply) const;

 private:
  std::vector<std::string> origins_;
};

}  // namespace hearth
