#include "runtime/base/inflate.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include <zlib.h>

#include "runtime/base/error.h"

namespace hearth {

std::optional<std::string> inflated(std::string_view data, Deflated kind, size_t most) {
  constexpr size_t kMostAtOnce = std::numeric_limits<uInt>::max();
  z_stream stream{};
  if (inflateInit2(&stream, kind == Deflated::kRaw ? -MAX_WBITS : 16 + MAX_WBITS) != Z_OK)
    throw resource_exhausted("zlib: out of memory");
  std::string out;
  std::array<char, 1 << 14> piece{};
  int status = Z_OK;
  while (status == Z_OK && out.size() <= most) {
    if (stream.avail_in == 0) {
      const size_t part = std::min(data.size(), kMostAtOnce);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
      stream.avail_in = static_cast<uInt>(part);
      data.remove_prefix(part);
    }
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || out.size() > most) return std::nullopt;
  return out;
}

}  // namespace hearth
