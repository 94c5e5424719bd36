// Where the pictures of a conversation are, as its messages say; nothing is fetched here.
#pragma once

#include <string>
#include <variant>

#include "server/json_reader.h"

namespace hearth {

enum class ImageDetail { kAuto, kLow, kHigh };

struct ImageReference {
  struct Url {
    std::string text;  // data:, http: or https:
  };
  struct UploadedFile {
    std::string id;
  };

  std::string field;  // "messages[1].content[0].image_url.url", for errors
  std::variant<Url, UploadedFile> source;
  ImageDetail detail = ImageDetail::kAuto;
};

// Of a conversation, earlier turns with them.
inline constexpr size_t kMaxImages = 64;

// A part {"type": "image_url", "image_url": ...}: a URL as it is, or an object with `url`, or with `file_id` in its
// place (which OpenAI has in its responses only), and perhaps `detail`. Throws a 400 with the field's path.
ImageReference read_image_part(const JsonReader& part);

}  // namespace hearth
