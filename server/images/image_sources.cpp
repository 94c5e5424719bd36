#include "server/images/image_sources.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/file.h"
#include "server/api_error.h"
#include "server/files/file_store.h"
#include "server/images/data_url.h"
#include "server/images/fetch_image.h"

namespace hearth {
namespace {

using Clock = std::chrono::steady_clock;

// What files may be uploaded for and shown to a model.
constexpr std::string_view kPurposes[] = {"vision", "user_data", "assistants"};

[[noreturn]] void refuse_size(int64_t most_bytes) {
  throw invalid_argument("the image has more than {} bytes, which is the most", most_bytes);
}

// One conversation's pictures: throws kInvalidArgument, without the field.
class Reader {
 public:
  Reader(FileStore* files, const ImageUrls& urls, const ImageSourceLimits& limits)
      : files_(files), urls_(urls), limits_(limits), deadline_(Clock::now() + limits.fetch_time) {}

  std::string read(const ImageReference& image) {
    std::string bytes = std::visit([this](const auto& source) { return bytes_of(source); }, image.source);
    if (std::ssize(bytes) > limits_.most_bytes) refuse_size(limits_.most_bytes);
    if (bytes.empty()) throw invalid_argument("the image is empty");
    total_ += std::ssize(bytes);
    if (total_ > limits_.most_bytes_in_all)
      throw invalid_argument(
          "the conversation's images have more than {} bytes, which is the most; send fewer or "
          "smaller ones",
          limits_.most_bytes_in_all);
    return bytes;
  }

 private:
  std::string bytes_of(const ImageReference::Url& url) const {
    if (url.text.front() == 'd' || url.text.front() == 'D') {
      // A URL has at least as many characters as bytes, and percent signs three for each.
      if (std::ssize(url.text) / 4 > limits_.most_bytes) refuse_size(limits_.most_bytes);
      return decode_data_url(url.text);
    }
    if (urls_.from == ImageUrls::From::kNowhere)
      throw invalid_argument(
          "this daemon fetches no images from other servers; send the image as a data: URL, upload it "
          "(/v1/files), or start the daemon with --image-urls");
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
    return fetch_image(url.text, urls_, limits_.most_bytes, std::max(left, std::chrono::milliseconds(1)));
  }

  std::string bytes_of(const ImageReference::UploadedFile& uploaded) const {
    if (!files_) throw invalid_argument("this daemon keeps no files; send the image as a data: URL");
    try {
      const FileRecord file = files_->get(uploaded.id);
      if (std::ranges::find(kPurposes, file.purpose) == std::end(kPurposes))
        throw invalid_argument("the file '{}' was uploaded with the purpose '{}'; images have one of {}", file.id,
                               file.purpose, fmt::join(kPurposes, ", "));
      if (file.bytes > limits_.most_bytes) refuse_size(limits_.most_bytes);
      return read_file(files_->path_of(file.id), static_cast<size_t>(limits_.most_bytes));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
      throw invalid_argument("there is no file '{}'", uploaded.id.substr(0, 64));
    }
  }

  FileStore* const files_;
  const ImageUrls& urls_;
  const ImageSourceLimits& limits_;
  const Clock::time_point deadline_;
  int64_t total_ = 0;
};

}  // namespace

std::vector<ImageFile> ImageSources::read(std::span<const ImageReference> images) const {
  Reader reader(files_, urls_, limits_);
  std::vector<ImageFile> read;
  for (const ImageReference& image : images) {
    try {
      read.push_back({reader.read(image), image.field, image.detail});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidArgument) throw;
      throw invalid_field(image.field, fmt::format("'{}': {}", image.field, error.what()));
    }
  }
  return read;
}

}  // namespace hearth
