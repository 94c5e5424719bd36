// data: URLs (RFC 2397).
#pragma once

#include <string>
#include <string_view>

namespace hearth {

// The bytes of "data:[TYPE][;NAME=VALUE]...[;base64],DATA". Base64 may be URL-safe and may lack its padding, as clients
// of OpenAI send it; blanks and anything else that it does not have are refused. What the URL says of its type is not
// looked at. Throws kInvalidArgument, which never repeats the data.
std::string decode_data_url(std::string_view url);

}  // namespace hearth
