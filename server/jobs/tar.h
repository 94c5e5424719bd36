// POSIX.1-2001 tar (pax), for a stream of whole files. Names of more than 100 bytes and sizes from 8 GiB stand in an
// extended header in front of the file's own. By hand, since libarchive brings libxml2 and ICU into every process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

// What stands before the content of a regular file. `name`: with '/' between directories; modified_at in unix seconds.
std::string tar_header(std::string_view name, int64_t bytes, int64_t modified_at);
// What fills up the last block of a content.
std::string tar_padding(int64_t bytes);
// What ends the archive.
std::string tar_end();

}  // namespace hearth
