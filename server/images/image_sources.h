// From what messages say of their pictures to the pictures' files: out of data: URLs, out of uploaded files, and, where
// the configuration allows it, from other servers. What the bytes are is for the decoder to say, not for names, types
// or headers. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "server/images/image_reference.h"
#include "server/images/image_urls.h"

namespace hearth {

class FileStore;

// A picture's file as it came.
struct ImageFile {
  std::string bytes;
  std::string field;  // of the request, which errors about the picture name
  ImageDetail detail = ImageDetail::kAuto;
};

struct ImageSourceLimits {
  int64_t most_bytes = 20 << 20;                 // of one picture
  int64_t most_bytes_in_all = 128 << 20;         // of a conversation's
  std::chrono::milliseconds fetch_time{20'000};  // for all that other servers have
};

class ImageSources {
 public:
  // `files` outlives it; null: none are kept.
  ImageSources(FileStore* files, ImageUrls urls, ImageSourceLimits limits = {})
      : files_(files), urls_(std::move(urls)), limits_(limits) {}

  // In order. Throws a 400 that names the reference's field; neither data nor what another server answered is repeated.
  std::vector<ImageFile> read(std::span<const ImageReference> images) const;

 private:
  FileStore* const files_;
  const ImageUrls urls_;
  const ImageSourceLimits limits_;
};

}  // namespace hearth
