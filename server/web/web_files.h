// The files of the web page, as they lie in the program: made by bundle.mjs when it was built.
#pragma once

#include <span>
#include <string_view>

namespace hearth {

struct WebFile {
  std::string_view name;  // "index.html", or one that changes with the content: "main-5XQ2M7KD.js"
  std::string_view content_type;
  std::string_view gzip;  // the content, compressed
  std::string_view etag;  // quoted
};

std::span<const WebFile> web_files();

}  // namespace hearth
