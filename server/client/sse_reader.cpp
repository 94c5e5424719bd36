#include "server/client/sse_reader.h"

#include <utility>

#include "runtime/base/error.h"

namespace hearth {

void SseReader::push(std::string_view bytes) {
  constexpr size_t kMaxLine = size_t{16} << 20;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (line_.size() + data_.size() > kMaxLine)
      throw data_corruption("the stream has an event of more than {} bytes", kMaxLine);
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    take_line(std::exchange(line_, {}));
  }
}

void SseReader::take_line(std::string_view line) {
  if (line.empty()) {
    if (std::exchange(has_data_, false)) on_data_(std::exchange(data_, {}));
    return;
  }
  if (!line.starts_with("data:")) return;  // comments and other fields
  line.remove_prefix(5);
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += line;
  has_data_ = true;
}

}  // namespace hearth
