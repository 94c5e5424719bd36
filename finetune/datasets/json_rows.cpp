#include "finetune/datasets/json_rows.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxDepth = 100;
constexpr size_t kMaxKeys = 10'000;  // of one object: ordered objects look keys up one by one
constexpr size_t kReleasedAtOnce = size_t{16} << 20;
constexpr std::string_view kSpace = " \t\r\n";

// Where the value ends that begins at `begin`, or why that cannot be told.
struct JsonExtent {
  size_t end = 0;
  std::string problem = {};
};

// Behind the closing quote of the string whose opening one is at `at`; npos where there is none on the line.
size_t end_of_string(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') return at + 1;
    if (c == '\n') return std::string_view::npos;
    if (c == '\\') ++at;
  }
  return std::string_view::npos;
}

JsonExtent end_of_container(std::string_view text, size_t begin) {
  std::array<uint32_t, kMaxDepth + 1> keys{};
  size_t depth = 0;
  for (size_t at = begin; at < text.size(); ++at) {
    switch (text[at]) {
      case '"':
        at = end_of_string(text, at);
        if (at == std::string_view::npos) return {begin, "a string has no end on its line"};
        --at;
        break;
      case '{':
      case '[':
        if (++depth > kMaxDepth) return {begin, fmt::format("nested deeper than {} levels", kMaxDepth)};
        keys[depth] = 0;
        break;
      case ':':
        if (++keys[depth] > kMaxKeys) return {begin, fmt::format("an object has more than {} keys", kMaxKeys)};
        break;
      case '}':
      case ']':
        if (--depth == 0) return {at + 1};
        break;
      default:
        break;
    }
  }
  return {begin, "the row has no end"};
}

JsonExtent end_of_value(std::string_view text, size_t begin) {
  const std::string_view seen = text.substr(0, std::min(text.size(), begin + kMaxRowBytes));
  JsonExtent extent;
  if (seen[begin] == '{' || seen[begin] == '[') {
    extent = end_of_container(seen, begin);
  } else if (seen[begin] == '"') {
    extent.end = end_of_string(seen, begin);
    if (extent.end == std::string_view::npos) extent = {begin, "a string has no end on its line"};
  } else {
    extent.end = std::min(seen.size(), seen.find_first_of(" \t\r\n,]}", begin + 1));
  }
  if (!extent.problem.empty() && seen.size() < text.size())
    extent.problem += fmt::format(" within {} MiB", kMaxRowBytes >> 20);
  return extent;
}

// The library's own words without its number and without the text that was read last, which may be long or no UTF-8.
std::string cause(const std::exception& error) {
  std::string text = error.what();
  if (const size_t end = text.find("; last read"); end != std::string::npos) text.resize(end);
  if (const size_t name = text.find("syntax error"); name != std::string::npos) text.erase(0, name);
  return text.substr(0, 200);
}

class JsonRows : public RowReader {
 public:
  JsonRows(std::shared_ptr<const MappedFile> file, std::string_view text, std::string name)
      : file_(std::move(file)), text_(text), name_(std::move(name)) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    skip_space();
    if (at_ == text_.size()) return;
    layout_ = find_layout();
    if (layout_ == Layout::kArray) ++at_;
  }

  bool next(Row& row) override {
    release_what_was_read();
    row.problem.clear();
    skip_space();
    if (ended_ || (at_ == text_.size() && layout_ != Layout::kArray)) return false;
    ++number_;
    row.place = fmt::format("{}, row {}", name_, number_);
    switch (layout_) {
      case Layout::kArray:
        return next_of_array(row);
      case Layout::kLines:
        read_line(row);
        return true;
      case Layout::kValues:
        break;
    }
    read_value(row);
    return true;
  }

 private:
  enum class Layout { kArray, kLines, kValues };

  // An object that goes on over lines says that rows are not lines.
  Layout find_layout() const {
    if (text_[at_] == '[') return Layout::kArray;
    const JsonExtent first = end_of_value(text_, at_);
    const bool whole_line = !first.problem.empty() || text_.substr(at_, first.end - at_).find('\n') == text_.npos;
    return whole_line ? Layout::kLines : Layout::kValues;
  }

  void skip_space() { at_ = std::min(text_.size(), text_.find_first_not_of(kSpace, at_)); }

  bool next_of_array(Row& row) {
    if (at_ < text_.size() && text_[at_] == ']' && !expects_row_) {
      ++at_;
      skip_space();
      ended_ = true;
      if (at_ == text_.size()) return false;
      stop("the list has ended, but the file goes on", row);
      return true;
    }
    if (at_ == text_.size() || text_[at_] == ']' || text_[at_] == ',') {
      stop(at_ == text_.size() ? "the list has no end: is the file whole?" : "a row is wanted here", row);
      return true;
    }
    read_value(row);
    if (ended_) return true;
    skip_space();
    expects_row_ = at_ < text_.size() && text_[at_] == ',';
    if (expects_row_) {
      ++at_;
    } else if (at_ < text_.size() && text_[at_] != ']') {
      ended_ = true;
      if (row.problem.empty()) complain(at_, "a comma or the end of the list is wanted behind the row", row);
    }
    return true;
  }

  void read_value(Row& row) {
    const size_t begin = at_;
    const JsonExtent extent = end_of_value(text_, begin);
    if (!extent.problem.empty()) return stop(extent.problem + "; what follows it cannot be read", row);
    at_ = extent.end;
    parse(begin, extent.end, row);
  }

  void read_line(Row& row) {
    const size_t begin = at_;
    size_t end = std::min(text_.size(), text_.find('\n', begin));
    at_ = end;
    while (text_[end - 1] == '\r' || text_[end - 1] == ' ' || text_[end - 1] == '\t') --end;
    const JsonExtent extent = end_of_value(text_.substr(0, end), begin);
    if (!extent.problem.empty())
      complain(begin, extent.problem, row);
    else if (extent.end != end)
      complain(extent.end, "the row has ended, but its line goes on", row);
    else
      parse(begin, end, row);
  }

  void parse(size_t begin, size_t end, Row& row) {
    try {
      row.value = Json::parse(text_.data() + begin, text_.data() + end);
    } catch (const Json::parse_error& error) {
      return complain(begin + std::min(std::max<size_t>(error.byte, 1) - 1, end - begin), cause(error), row);
    } catch (const Json::exception& error) {  // a number out of range
      return complain(begin, cause(error), row);
    }
    if (row.value.is_string() && layout_ == Layout::kArray) {
      Json text = Json::object();
      text["text"] = std::move(row.value);
      row.value = std::move(text);
    }
    if (!row.value.is_object())
      complain(begin, fmt::format("a row must be an object, found {}", row.value.type_name()), row);
  }

  void complain(size_t offset, const std::string& what, Row& row) {
    lines_ += static_cast<size_t>(std::count(text_.begin() + static_cast<ptrdiff_t>(std::min(counted_, offset)),
                                             text_.begin() + static_cast<ptrdiff_t>(offset), '\n'));
    counted_ = std::max(counted_, offset);
    row.problem = fmt::format("line {}, byte {}: {}", lines_, offset, what);
  }
  void stop(const std::string& what, Row& row) {
    complain(at_, what, row);
    ended_ = true;
  }

  void release_what_was_read() {
    if (!file_ || at_ - released_ < kReleasedAtOnce) return;
    file_->release_pages(released_, at_ - released_);
    released_ = at_;
  }

  std::shared_ptr<const MappedFile> file_;
  std::string_view text_;
  std::string name_;
  Layout layout_ = Layout::kLines;
  size_t at_ = 0, released_ = 0;
  size_t counted_ = 0, lines_ = 1;  // lines up to the byte counted_
  int64_t number_ = 0;
  bool ended_ = false;
  bool expects_row_ = false;  // behind a comma
};

}  // namespace

std::unique_ptr<RowReader> open_json_rows(const std::filesystem::path& file) {
  std::shared_ptr<const MappedFile> mapped = MappedFile::open(file);
  const std::string_view text(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size());
  return std::make_unique<JsonRows>(std::move(mapped), text, file.filename().string());
}

std::unique_ptr<RowReader> open_json_rows(std::string_view bytes, const std::string& name) {
  return std::make_unique<JsonRows>(nullptr, bytes, name);
}

}  // namespace hearth
