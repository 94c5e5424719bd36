#include "server/routes/file_stream.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr int64_t kPieceBytes = 64 << 10;

}  // namespace

FileStream::FileStream(const std::filesystem::path& path, std::string shown)
    : file_(std::make_shared<std::ifstream>(path, std::ios::binary)), shown_(std::move(shown)) {
  if (!*file_) throw unavailable("the content of '{}' cannot be read", shown_);
}

bool FileStream::send(int64_t bytes, BodyWriter& writer) {
  std::string piece(static_cast<size_t>(std::min(bytes, kPieceBytes)), '\0');
  for (int64_t left = bytes; left > 0;) {
    file_->read(piece.data(), std::min(left, kPieceBytes));
    const auto count = file_->gcount();
    if (count == 0) throw data_corruption("the content of '{}' ends {} bytes early", shown_, left);
    left -= count;
    if (!writer.write({piece.data(), static_cast<size_t>(count)})) return false;
  }
  return true;
}

void set_attachment(Reply& reply, const std::string& filename) {
  std::string name = filename;
  for (char& c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
                       c == '-' || c == '_' || c == '+' || c == '=';
    if (!plain) c = '_';
  }
  reply.headers.emplace("Content-Disposition", fmt::format("attachment; filename=\"{}\"", name));
}

}  // namespace hearth
