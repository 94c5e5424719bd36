#include "server/images/fetch_image.h"

#include <string_view>

#include "runtime/base/error.h"
#include "runtime/http_client/http_client.h"
#include "runtime/http_client/public_address.h"

namespace hearth {
namespace {

constexpr size_t kMostUrlBytes = 8192;
constexpr int kOk = 200;

// Tells what is wrong with the picture from what is wrong with the connection, whose words are not passed on.
struct Refused {
  std::string why;
};

HttpRequest request_for(const std::string& url, const ImageUrls& urls, std::chrono::milliseconds time) {
  HttpRequest request;
  request.url = url;
  request.total_time = time;
  if (urls.from == ImageUrls::From::kPublic)
    request.may_connect = is_public_address;
  else
    request.may_ask = [&urls](const std::string& host, int port) { return urls.has_host(host, port); };
  return request;
}

std::string fetch(const HttpRequest& request, int64_t most_bytes) {
  std::string bytes;
  HttpClient client;
  const auto take = [&](std::string_view piece) {
    if (std::ssize(bytes) + std::ssize(piece) > most_bytes)
      throw Refused{fmt::format("the image has more than {} bytes, which is the most", most_bytes)};
    bytes += piece;
    return true;
  };
  client.send(request, take, [](const HttpResponse& response) {
    if (response.status != kOk) throw Refused{fmt::format("its server answers {}", response.status)};
  });
  return bytes;
}

}  // namespace

std::string fetch_image(const std::string& url, const ImageUrls& urls, int64_t most_bytes,
                        std::chrono::milliseconds time) {
  if (url.size() > kMostUrlBytes) throw invalid_argument("a URL has at most {} bytes", kMostUrlBytes);
  try {
    return fetch(request_for(url, urls, time), most_bytes);
  } catch (const Refused& refused) {
    throw invalid_argument("the image cannot be fetched: {}", refused.why);
  } catch (const NotAllowed&) {
    throw invalid_argument("the image cannot be fetched: its host {}",
                           urls.from == ImageUrls::From::kPublic ? "has no public address (--image-urls public)"
                                                                 : "is none of those of --image-urls");
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInvalidArgument) throw invalid_argument("the image cannot be fetched: not a URL");
    if (error.code() != ErrorCode::kUnavailable && error.code() != ErrorCode::kResourceExhausted) throw;
    throw invalid_argument(
        "the image cannot be fetched: no connection, or it took too long, broke off or was redirected too often");
  }
}

}  // namespace hearth
