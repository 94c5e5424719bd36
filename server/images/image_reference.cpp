#include "server/images/image_reference.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace hearth {
namespace {

constexpr size_t kShown = 64;

bool has_scheme(std::string_view url, std::string_view scheme) {
  return url.size() > scheme.size() && url[scheme.size()] == ':' &&
         std::ranges::equal(url.substr(0, scheme.size()), scheme,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

ImageReference::Url read_url(const JsonReader& field) {
  std::string url = field.string();
  if (!has_scheme(url, "data") && !has_scheme(url, "http") && !has_scheme(url, "https"))
    field.fail("an image's URL begins with data:, http: or https:; its bytes are sent as data:image/png;base64,...");
  return {std::move(url)};
}

ImageDetail read_detail(const JsonReader& field) {
  if (!field) return ImageDetail::kAuto;
  constexpr std::string_view kDetails[] = {"auto", "low", "high"};  // as ImageDetail
  const std::string name = field.string();
  const auto* found = std::ranges::find(kDetails, name);
  if (found == std::end(kDetails))
    field.fail(fmt::format("'{}' is none of {}", name.substr(0, kShown), fmt::join(kDetails, ", ")));
  return static_cast<ImageDetail>(found - std::begin(kDetails));
}

}  // namespace

ImageReference read_image_part(const JsonReader& part) {
  const JsonReader image = part.required("image_url");
  if (image.is_string()) return {.field = image.path(), .source = read_url(image)};
  if (!image.is_object()) image.fail_type("a URL or an object with 'url'");
  const JsonReader file = image["file_id"];
  if (file && image["url"]) file.fail("not together with 'url'");
  const ImageDetail detail = read_detail(image["detail"]);
  if (file) return {file.path(), ImageReference::UploadedFile{file.string()}, detail};
  const JsonReader url = image.required("url");
  return {url.path(), read_url(url), detail};
}

}  // namespace hearth
