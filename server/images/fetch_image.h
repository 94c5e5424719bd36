// A picture's file from another server.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "server/images/image_urls.h"

namespace hearth {

// Throws kInvalidArgument: in a few words why it is not to be had, without what any server answered but its status.
std::string fetch_image(const std::string& url, const ImageUrls& urls, int64_t most_bytes,
                        std::chrono::milliseconds time);

}  // namespace hearth
