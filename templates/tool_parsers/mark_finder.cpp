#include "templates/tool_parsers/mark_finder.h"

#include <algorithm>
#include <utility>

namespace hearth {

std::optional<size_t> MarkFinder::read(char byte, std::string& text) {
  partial_ += byte;
  while (!partial_.empty()) {
    const auto mark =
        std::ranges::find_if(marks_, [this](const std::string& candidate) { return candidate.starts_with(partial_); });
    if (mark != marks_.end()) {
      if (mark->size() > partial_.size()) return std::nullopt;
      partial_.clear();
      blanks_.clear();
      return static_cast<size_t>(mark - marks_.begin());
    }
    if (drop_blanks_ && is_blank(partial_.front())) {
      blanks_ += partial_.front();
    } else {
      text += std::exchange(blanks_, {});
      text += partial_.front();
    }
    partial_.erase(0, 1);
  }
  return std::nullopt;
}

std::string MarkFinder::take_held() { return std::exchange(blanks_, {}) + std::exchange(partial_, {}); }

}  // namespace hearth
