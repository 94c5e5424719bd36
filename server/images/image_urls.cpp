#include "server/images/image_urls.h"

#include <algorithm>
#include <charconv>

#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr int kHttp = 80, kHttps = 443, kMaxPort = 65535;

[[noreturn]] void refuse(std::string_view text) {
  throw invalid_argument(
      "'{}' is none of off, public and HOST[:PORT][,HOST...] (\"images.example.com\", \"[::1]:8080\")", text);
}

bool is_of_host(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'; }

// "[::1]" keeps its brackets, as in URLs.
ImageUrls::Host parse_host(std::string_view text) {
  ImageUrls::Host host;
  const size_t bracket = text.find(']');
  const size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  for (const char c : text.substr(0, colon)) host.name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const bool is_ipv6 = host.name.starts_with('[') && host.name.ends_with(']') && host.name.size() > 2;
  const bool is_name = !host.name.empty() && std::ranges::all_of(host.name, is_of_host);
  if (!is_ipv6 && !is_name) refuse(text);
  if (colon == std::string_view::npos) return host;
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), host.port);
  if (error != std::errc() || end != port.data() + port.size() || host.port < 1 || host.port > kMaxPort) refuse(text);
  return host;
}

}  // namespace

bool ImageUrls::has_host(std::string_view name, int port) const {
  return std::ranges::any_of(hosts, [&](const Host& host) {
    return host.name == name && (host.port == port || (host.port == 0 && (port == kHttp || port == kHttps)));
  });
}

ImageUrls parse_image_urls(std::string_view text) {
  if (text == "off") return {};
  if (text == "public") return {.from = ImageUrls::From::kPublic};
  ImageUrls urls{.from = ImageUrls::From::kHosts};
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const ImageUrls::Host host = parse_host(text.substr(begin, end - begin));
    if (host.name == "off" || host.name == "public") refuse(text);
    urls.hosts.push_back(host);
    begin = end + 1;
  }
  return urls;
}

}  // namespace hearth
