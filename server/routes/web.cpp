// The web page: GET / for a browser, and the files that it names. They hold no secret, so no key is asked for; what the
// page then asks of /v1 is.
#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/inflate.h"
#include "server/routes.h"
#include "server/routes/handlers.h"
#include "server/web/web_files.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kPage = "index.html";
constexpr size_t kLargestFile = size_t{64} << 20;  // of the page's own
// Nothing but this daemon's own files and answers: what a model writes can neither run nor be fetched from elsewhere.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

bool accepts(const Request& request, const std::string& header, std::string_view what) {
  const std::optional<std::string_view> value = request.header(header);
  return value && value->find(what) != std::string_view::npos;
}

// Names with a hash never change; the page itself is asked for anew and found unchanged.
Reply reply_with(const Request& request, const WebFile& file) {
  Reply reply{.content_type = std::string(file.content_type),
              .headers = {{"ETag", std::string(file.etag)},
                          {"Cache-Control", file.name == kPage ? "no-cache" : "public, max-age=31536000, immutable"},
                          {"Vary", "Accept, Accept-Encoding"},
                          {"Content-Security-Policy", kPolicy},
                          {"Cross-Origin-Opener-Policy", "same-origin"},
                          {"Referrer-Policy", "no-referrer"},
                          {"X-Content-Type-Options", "nosniff"}}};
  if (accepts(request, "If-None-Match", file.etag)) {
    reply.status = 304;
  } else if (accepts(request, "Accept-Encoding", "gzip")) {
    reply.headers.emplace("Content-Encoding", "gzip");
    reply.body = std::string(file.gzip);
  } else {
    reply.body = inflated(file.gzip, Deflated::kGzip, kLargestFile).value();
  }
  return reply;
}

const WebFile& find_file(std::string_view name) {
  const auto found = std::ranges::find(web_files(), name, &WebFile::name);
  if (found == web_files().end())
    throw not_found("the page has no file '{}'; reload it, it is of another version of hearth", name);
  return *found;
}

}  // namespace

Reply handle_index(const Request& request, App&) {
  if (accepts(request, "Accept", "text/html")) return reply_with(request, find_file(kPage));
  Json names = Json::array();
  for (const Route& route : routes()) names.push_back(std::string(route.method) + " " + std::string(route.pattern));
  return json_reply(
      {{"name", "hearth"}, {"api", "OpenAI's HTTP API; base URL: this address and /v1"}, {"routes", names}});
}

Reply handle_web_file(const Request& request, App&) { return reply_with(request, find_file(request.path_argument)); }

}  // namespace hearth
