#include "finetune/datasets/text_rows.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "finetune/datasets/utf8.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

constexpr size_t kReleasedAtOnce = size_t{16} << 20;

class TextRows : public RowReader {
 public:
  explicit TextRows(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {
    text_ = {reinterpret_cast<const char*>(file_->bytes().data()), file_->bytes().size()};
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
  }

  bool next(Row& row) override {
    if (at_ - released_ >= kReleasedAtOnce) {
      file_->release_pages(released_, at_ - released_);
      released_ = at_;
    }
    if (at_ == text_.size()) return false;
    row.problem.clear();
    row.place = fmt::format("{}, row {}", file_->path().filename().string(), ++number_);
    const size_t begin = at_, end = std::min(text_.size(), text_.find_first_of("\r\n", begin));
    at_ = std::min(text_.size(), end + (text_.substr(end).starts_with("\r\n") ? 2 : 1));
    const std::string_view line = text_.substr(begin, end - begin);
    if (line.size() > kMaxRowBytes)
      row.problem = fmt::format("byte {}: the line is longer than {} MiB", begin, kMaxRowBytes >> 20);
    else if (!is_utf8(line))
      row.problem = fmt::format("byte {}: the line is not UTF-8", begin);
    row.value = nlohmann::ordered_json::object();
    if (row.problem.empty()) row.value["text"] = line;
    return true;
  }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::string_view text_;
  size_t at_ = 0, released_ = 0;
  int64_t number_ = 0;
};

}  // namespace

std::unique_ptr<RowReader> open_text_rows(const std::filesystem::path& file) {
  return std::make_unique<TextRows>(MappedFile::open(file));
}

}  // namespace hearth
