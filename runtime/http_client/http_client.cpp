#include "runtime/http_client/http_client.h"

#include <algorithm>
#include <exception>

#include <curl/curl.h>
#include <sys/socket.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr int kMaxRedirects = 5;
constexpr size_t kMaxBody = size_t{64} << 20;
constexpr size_t kMaxHeaderBytes = size_t{1} << 20;

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// Of a URL that origin_of() takes.
void check_host(const HttpRequest& request, const std::string& url) {
  if (!request.may_ask) return;
  const Url parsed(curl_url(), curl_url_cleanup);
  curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), which, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return std::string();
    const std::unique_ptr<char, decltype(&curl_free)> owner(text, curl_free);
    return std::string(text);
  };
  if (!request.may_ask(lower(part(CURLUPART_HOST)), std::atoi(part(CURLUPART_PORT).c_str())))
    throw NotAllowed(fmt::format("{}: its host may not be asked", url));
}

// "https://host:443"; throws for what is not an http(s) URL.
std::string origin_of(const std::string& url) {
  const Url parsed(curl_url(), curl_url_cleanup);
  std::string origin;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
    throw invalid_argument("'{}' is not a URL (http://host:port)", url);
  for (const auto part : {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT}) {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK)
      throw invalid_argument("'{}' is not a URL (http://host:port)", url);
    origin += origin.empty() ? std::string(text) + ":" : "/" + std::string(text);
    curl_free(text);
  }
  if (!origin.starts_with("http:") && !origin.starts_with("https:"))
    throw invalid_argument("'{}' is neither http nor https", url);
  return origin;
}

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

void initialize_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw internal_error("libcurl does not start: {}", curl_easy_strerror(code));
}

}  // namespace

std::string HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

// One request on the wire; libcurl's callbacks write here.
struct HttpClient::Exchange {
  const Sink* sink = nullptr;
  const OnHeaders* on_headers = nullptr;
  const std::atomic<bool>* cancelled = nullptr;
  HttpResponse response;
  size_t header_bytes = 0;
  bool announced = false, enough = false, refused = false;
  const std::function<bool(const sockaddr&)>* may_connect = nullptr;
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
  std::exception_ptr failure;  // of a callback: exceptions must not cross C frames

  bool is_redirect() const {
    return response.status >= 300 && response.status < 400 && response.headers.contains("location");
  }

  void announce() {
    if (announced || is_redirect()) return;
    announced = true;
    if (on_headers && *on_headers) (*on_headers)(response);
  }

  bool take(std::string_view piece) {
    if (is_redirect()) return true;
    announce();
    const bool wanted = response.status >= 200 && response.status < 300;
    if (wanted && sink && *sink) {
      if ((*sink)(piece)) return true;
      enough = true;
      return false;
    }
    if (response.body.size() + piece.size() > kMaxBody)
      throw resource_exhausted("{}: the response is larger than {} bytes", response.url, kMaxBody);
    response.body += piece;
    return true;
  }

  void take_header(std::string_view line) {
    if ((header_bytes += line.size()) > kMaxHeaderBytes)
      throw resource_exhausted("{}: response headers are larger than {} bytes", response.url, kMaxHeaderBytes);
    if (line.starts_with("HTTP/")) {
      const size_t space = line.find(' ');
      response.status = space == std::string_view::npos ? 0 : std::atoi(std::string(line.substr(space + 1, 3)).c_str());
      response.headers.clear();
      return;
    }
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos)
      response.headers[lower(std::string(line.substr(0, colon)))] = trimmed(line.substr(colon + 1));
  }

  static size_t on_body(char* data, size_t size, size_t count, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    try {
      return exchange.take({data, size * count}) ? size * count : 0;
    } catch (...) {
      exchange.failure = std::current_exception();
      return 0;
    }
  }
  static size_t on_header(char* data, size_t size, size_t count, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    try {
      exchange.take_header({data, size * count});
      return size * count;
    } catch (...) {
      exchange.failure = std::current_exception();
      return 0;
    }
  }
  static curl_socket_t on_socket(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
    auto& exchange = *static_cast<Exchange*>(self);
    try {
      if ((*exchange.may_connect)(address->addr))
        return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
      exchange.refused = true;
    } catch (...) {
      exchange.failure = std::current_exception();
    }
    return CURL_SOCKET_BAD;
  }
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    const auto& exchange = *static_cast<Exchange*>(self);
    return exchange.cancelled && exchange.cancelled->load(std::memory_order_relaxed);
  }
};

HttpClient::HttpClient(const std::atomic<bool>* cancelled) : cancelled_(cancelled) {
  initialize_curl();
  curl_ = curl_easy_init();
  if (!curl_) throw internal_error("libcurl gives no handle");
}

HttpClient::~HttpClient() { curl_easy_cleanup(curl_); }

void HttpClient::restrict_to(const HttpRequest& request, Exchange& exchange) {
  if (exchange.deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*exchange.deadline - std::chrono::steady_clock::now());
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<int64_t>(left.count(), 1)));
  }
  exchange.refused = false;
  if (!request.may_connect) return;
  exchange.may_connect = &request.may_connect;
  curl_easy_setopt(curl_, CURLOPT_PROXY, "");
  curl_easy_setopt(curl_, CURLOPT_FRESH_CONNECT, 1L);  // an older connection was made under other rules
  curl_easy_setopt(curl_, CURLOPT_OPENSOCKETFUNCTION, &Exchange::on_socket);
  curl_easy_setopt(curl_, CURLOPT_OPENSOCKETDATA, &exchange);
}

HttpResponse HttpClient::send_once(const HttpRequest& request, const std::string& url, bool with_token,
                                   Exchange& exchange) {
  curl_easy_reset(curl_);
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr, curl_slist_free_all);
  const auto add_header = [&](const std::string& line) {
    curl_slist* list = curl_slist_append(headers.get(), line.c_str());
    if (!list) throw internal_error("out of memory");
    (void)headers.release();
    headers.reset(list);
  };
  for (const std::string& line : request.headers) add_header(line);
  if (with_token && !request.bearer_token.empty()) add_header("Authorization: Bearer " + request.bearer_token);
  if (request.body) {
    add_header("Content-Type: application/json");
    add_header("Expect:");  // no waiting for 100 Continue
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, request.body->data());
  }
  if (request.head) curl_easy_setopt(curl_, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl_, CURLOPT_USERAGENT, "hearth");
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT, 15L);
  if (request.stall_seconds > 0) {
    curl_easy_setopt(curl_, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl_, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_seconds));
  }
  curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  curl_easy_setopt(curl_, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
  curl_easy_setopt(curl_, CURLOPT_XFERINFODATA, &exchange);
  curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, 0L);
  restrict_to(request, exchange);
  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, reason);

  exchange.response = HttpResponse{};
  exchange.response.url = url;
  exchange.header_bytes = 0;
  const CURLcode code = curl_easy_perform(curl_);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, nullptr);
  if (exchange.failure) std::rethrow_exception(exchange.failure);
  if (code == CURLE_ABORTED_BY_CALLBACK) throw cancelled("{}: interrupted", url);
  if (code != CURLE_OK && (exchange.refused || (request.may_connect && code == CURLE_COULDNT_RESOLVE_HOST)))
    throw NotAllowed(fmt::format("{}: it has no address that may be connected to", url));
  if (code != CURLE_OK && !exchange.enough)
    throw unavailable("{}: {}", url, reason[0] ? reason : curl_easy_strerror(code));
  if (!exchange.enough) exchange.announce();
  return exchange.response;
}

HttpResponse HttpClient::send(const HttpRequest& request, const Sink& sink, const OnHeaders& on_headers) {
  Exchange exchange;
  exchange.sink = &sink;
  exchange.on_headers = &on_headers;
  exchange.cancelled = cancelled_;
  const std::string origin = origin_of(request.url);
  std::string url = request.url;
  if (request.total_time.count() > 0) exchange.deadline = std::chrono::steady_clock::now() + request.total_time;
  check_host(request, url);
  for (int hop = 0; hop <= kMaxRedirects; ++hop) {
    HttpResponse response = send_once(request, url, origin_of(url) == origin, exchange);
    const bool redirect = exchange.is_redirect();
    char* next = nullptr;
    if (redirect) curl_easy_getinfo(curl_, CURLINFO_REDIRECT_URL, &next);
    if (!next || (!request.follow_to_other_hosts && origin_of(next) != origin)) return response;
    if (url.starts_with("https:") && !origin_of(next).starts_with("https:"))
      throw unavailable("{}: redirects from https to '{}', which is not followed", url, next);
    url = next;
    check_host(request, url);
  }
  throw unavailable("{}: more than {} redirects", request.url, kMaxRedirects);
}

}  // namespace hearth
