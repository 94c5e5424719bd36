#include "server/access.h"

#include <algorithm>

#include "server/config.h"

namespace hearth {
namespace {

constexpr std::string_view kAllowedHeaders =
    "authorization, content-type, accept, openai-organization, openai-project, openai-beta, x-request-id, "
    "x-client-request-id, idempotency-key, x-api-key, anthropic-version, anthropic-beta, "
    "anthropic-dangerous-direct-browser-access";

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// OpenAI's clients describe themselves in headers of this family, whose names grow with their versions ("*" would not
// cover authorization).
std::string stainless_headers(std::string_view requested) {
  std::string out;
  while (!requested.empty()) {
    const size_t comma = std::min(requested.find(','), requested.size());
    const std::string name = lower(trim(requested.substr(0, comma)));
    requested.remove_prefix(std::min(comma + 1, requested.size()));
    const bool plain = std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
    if (plain && name.starts_with("x-stainless-")) out += ", " + name;
  }
  return out;
}

// Without port and brackets.
std::string host_name(std::string_view host) {
  if (host.starts_with('[')) return lower(host.substr(1, host.find(']') - 1));
  const size_t colon = host.find(':');
  if (colon != std::string_view::npos && host.find(':', colon + 1) == std::string_view::npos)
    host = host.substr(0, colon);
  return lower(host);
}

}  // namespace

bool is_host_allowed(std::optional<std::string_view> host, std::string_view bound) {
  if (!host || !is_loopback(bound)) return true;
  const std::string name = host_name(*host);
  return is_loopback(name) || name == lower(bound) || name.ends_with(".localhost");
}

bool Cors::admits(const Request& request) const {
  const std::optional<std::string_view> origin = request.header("Origin"), host = request.header("Host");
  if (!origin || is_configured(*origin)) return true;
  const size_t scheme = origin->find("://");
  return host && scheme != std::string_view::npos && lower(origin->substr(scheme + 3)) == lower(*host);
}

bool Cors::is_configured(std::string_view origin) const {
  return std::ranges::any_of(origins_, [&](const std::string& one) { return one == "*" || one == origin; });
}

Reply Cors::preflight(const Request& request) const {
  Reply reply{.status = 204};
  reply.headers.emplace("Allow", "GET, HEAD, POST, OPTIONS");
  if (origins_.empty() || !request.header("Origin")) return reply;
  reply.headers.emplace("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS");
  const std::string requested(request.header("Access-Control-Request-Headers").value_or(""));
  reply.headers.emplace("Access-Control-Allow-Headers", std::string(kAllowedHeaders) + stainless_headers(requested));
  reply.headers.emplace("Access-Control-Max-Age", "600");
  return reply;
}

void Cors::decorate(const Request& request, Reply& reply) const {
  if (origins_.empty()) return;
  const bool any = std::ranges::find(origins_, "*") != origins_.end();
  if (!any) reply.headers.emplace("Vary", "Origin");
  const std::optional<std::string_view> origin = request.header("Origin");
  if (!origin || !is_configured(*origin)) return;
  reply.headers.emplace("Access-Control-Allow-Origin", any ? "*" : std::string(*origin));
  reply.headers.emplace("Access-Control-Expose-Headers",
                        "x-request-id, request-id, openai-processing-ms, retry-after, x-ratelimit-limit-requests, "
                        "x-ratelimit-remaining-requests, x-ratelimit-reset-requests");
}

}  // namespace hearth
