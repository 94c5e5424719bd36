#include "finetune/encoding/picture_files.h"

#include <algorithm>
#include <cmath>

#include "models/images/decode_image.h"
#include "models/images/resize.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

Image resized(const Image& image, int64_t width, int64_t height) {
  return resize(image, static_cast<int>(width), static_cast<int>(height), Resampling::kBicubic);  // PIL's default
}

// To about so many pixels, rounded down to whole ones.
Image with_pixels(const Image& image, int64_t pixels) {
  const double factor = std::sqrt(static_cast<double>(pixels) / (static_cast<double>(image.width) * image.height));
  const auto scaled = [&](int side) { return static_cast<int64_t>(side * factor); };
  if (scaled(image.width) < 1 || scaled(image.height) < 1)
    throw invalid_argument("a picture of {} x {} pixels has no side left when it is brought to {} pixels", image.width,
                           image.height, pixels);
  return resized(image, scaled(image.width), scaled(image.height));
}

std::shared_ptr<const PreparedPicture> read_file_picture(const std::string& path, const PictureReader& reader,
                                                         const PixelLimits& limits) {
  const ImageLimits files;
  const std::string bytes = read_file(path, static_cast<size_t>(files.most_bytes));
  return reader.prepare(within_limits(decode_image(bytes, path, files), limits, reader.config().family));
}

}  // namespace

Image within_limits(Image image, const PixelLimits& limits, std::string_view family) {
  const auto pixels = [&] { return int64_t{image.width} * image.height; };
  if (pixels() > limits.most) image = with_pixels(image, limits.most);
  if (pixels() < limits.least) image = with_pixels(image, limits.least);
  if (!family.starts_with("qwen2")) return image;
  constexpr int kLeastSide = 28, kLongest = 200, kLong = 180;  // a side, and sides to one another
  if (std::min(image.width, image.height) < kLeastSide)
    image = resized(image, std::max(image.width, kLeastSide), std::max(image.height, kLeastSide));
  if (image.width > int64_t{kLongest} * image.height)
    image = resized(image, int64_t{kLong} * image.height, image.height);
  if (image.height > int64_t{kLongest} * image.width) image = resized(image, image.width, int64_t{kLong} * image.width);
  return image;
}

std::shared_ptr<const PreparedPicture> read_picture(const FilePicture& picture, const PictureReader& reader,
                                                    const PixelLimits& limits) {
  auto prepared = read_file_picture(picture.path, reader, limits);
  if (prepared->layout().identity != picture.layout.identity || prepared->token_ids() != picture.token_ids)
    throw failed_precondition("{}: is not the picture that it was when the data was encoded; start the job again",
                              picture.path);
  return prepared;
}

std::shared_ptr<const FilePicture> PictureFiles::describe(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(path); found != known_.end()) return found->second;
  }
  const auto prepared = read_file_picture(path, *reader_, limits_);
  auto picture = std::make_shared<const FilePicture>(
      FilePicture{path, prepared->layout(), prepared->token_ids(), prepared->joins_pictures()});
  const std::lock_guard lock(mutex_);
  return known_.emplace(path, std::move(picture)).first->second;
}

}  // namespace hearth
