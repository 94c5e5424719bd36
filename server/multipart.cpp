#include "server/multipart.h"

#include <algorithm>
#include <utility>

#include "runtime/base/error.h"
#include "server/http_types.h"
#include "server/query.h"

namespace hearth {
namespace {

constexpr std::string_view kLineEnd = "\r\n", kHeadersEnd = "\r\n\r\n";
constexpr size_t kMaxBoundary = 70;  // RFC 2046, 5.1.1

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equals_without_case(std::string_view a, std::string_view b) {
  const HeaderLess less;
  return !less(std::string(a), std::string(b)) && !less(std::string(b), std::string(a));
}

// The text of a quoted string whose opening quote was taken. Of backslashes only \" and \\ are escapes: what a Windows
// browser sends as a path has others.
std::string take_quoted(std::string_view& rest) {
  std::string out;
  for (size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return out;
    }
    if (rest[i] == '\\' && i + 1 < rest.size() && (rest[i + 1] == '"' || rest[i + 1] == '\\')) ++i;
    out += rest[i];
  }
  throw invalid_argument("the form has a header with a quote that does not end");
}

// A header's value: what stands first ("form-data"), and its parameters by name.
struct HeaderValue {
  std::string first;
  Headers parameters;

  explicit HeaderValue(std::string_view text) {
    first = trimmed(text.substr(0, text.find(';')));
    text.remove_prefix(std::min(text.size(), text.find(';')));
    while (!text.empty()) {
      text.remove_prefix(1);  // the ';'
      const size_t end = text.find_first_of("=;");
      const std::string name(trimmed(text.substr(0, end)));
      text.remove_prefix(std::min(text.size(), end));
      if (text.empty() || text.front() == ';') continue;
      text = trimmed(text.substr(1));
      std::string value;
      if (text.starts_with('"')) {
        text.remove_prefix(1);
        value = take_quoted(text);
        text.remove_prefix(std::min(text.size(), text.find(';')));
      } else {
        value = trimmed(text.substr(0, text.find(';')));
        text.remove_prefix(std::min(text.size(), text.find(';')));
      }
      parameters.emplace(name, std::move(value));
    }
  }

  std::optional<std::string> get(const std::string& name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::nullopt : std::optional(found->second);
  }
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Forms escape exactly three characters of a name (WHATWG HTML, multipart/form-data encoding algorithm).
std::string unescaped(std::string text) {
  replace_all(text, "%22", "\"");
  replace_all(text, "%0D", "\r");
  replace_all(text, "%0A", "\n");
  return text;
}

// filename*=UTF-8''percent-encoded (RFC 5987), which old clients send for names that are not ASCII.
std::optional<std::string> extended_filename(const HeaderValue& disposition) {
  const std::optional<std::string> value = disposition.get("filename*");
  if (!value) return std::nullopt;
  const size_t language = value->find('\''), text = value->find('\'', language + 1);
  if (language == std::string::npos || text == std::string::npos ||
      !equals_without_case(value->substr(0, language), "utf-8"))
    throw invalid_argument("the form has a filename* that is not UTF-8''NAME");
  return percent_decoded(std::string_view(*value).substr(text + 1), "the form's filename*");
}

MultipartPart read_part_headers(std::string_view lines) {
  std::optional<HeaderValue> disposition;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find(kLineEnd));
    lines.remove_prefix(std::min(lines.size(), line.size() + kLineEnd.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
      throw invalid_argument("the form has a part whose header has no name and ':'");
    const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
    if (equals_without_case(name, "Content-Transfer-Encoding") && !equals_without_case(value, "binary") &&
        !equals_without_case(value, "8bit") && !equals_without_case(value, "7bit"))
      throw invalid_argument("the form has a part in another Content-Transfer-Encoding than binary");
    if (!equals_without_case(name, "Content-Disposition")) continue;
    if (disposition) throw invalid_argument("the form has a part with two Content-Dispositions");
    disposition = HeaderValue(value);
  }
  if (!disposition || !equals_without_case(disposition->first, "form-data") || !disposition->get("name"))
    throw invalid_argument("the form has a part without 'Content-Disposition: form-data; name=...'");
  MultipartPart part{unescaped(*disposition->get("name")), extended_filename(*disposition)};
  if (const auto plain = disposition->get("filename"); plain && !part.filename) part.filename = unescaped(*plain);
  return part;
}

std::string delimiter_of(std::string_view content_type) {
  const std::string boundary = HeaderValue(content_type).get("boundary").value_or("");
  const bool visible = std::all_of(boundary.begin(), boundary.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (boundary.empty() || boundary.size() > kMaxBoundary || !visible)
    throw invalid_argument("the Content-Type must have a boundary of 1 to {} ASCII characters", kMaxBoundary);
  return "\r\n--" + boundary;
}

}  // namespace

bool is_multipart_form(std::string_view content_type) {
  return equals_without_case(trimmed(content_type.substr(0, content_type.find(';'))), "multipart/form-data");
}

MultipartParser::MultipartParser(std::string_view content_type, MultipartReceiver& receiver)
    : delimiter_(delimiter_of(content_type)), receiver_(receiver) {}

void MultipartParser::feed(std::string_view data) {
  if (state_ == State::kEpilogue) return;  // is ignored, as RFC 2046 wants it
  pending_ += data;
  while (step()) {
  }
}

void MultipartParser::finish() const {
  if (state_ != State::kEpilogue) throw invalid_argument("the form ends in the middle: its last boundary is missing");
}

// False when more bytes are needed.
bool MultipartParser::step() {
  switch (state_) {
    case State::kPreamble:
    case State::kData:
      return take_content();
    case State::kDelimited:
      return take_delimiter_end();
    case State::kHeaders:
      return take_headers();
    case State::kEpilogue:
      break;
  }
  pending_.clear();
  return false;
}

bool MultipartParser::take_content() {
  const size_t found = pending_.find(delimiter_);
  // Behind what is no delimiter, one may have begun.
  const size_t content =
      found != std::string::npos ? found : pending_.size() - std::min(pending_.size(), delimiter_.size() - 1);
  if (content > 0 && state_ == State::kData) receiver_.part_data(std::string_view(pending_).substr(0, content));
  if (found == std::string::npos) {
    pending_.erase(0, content);
    return false;
  }
  pending_.erase(0, content + delimiter_.size());
  if (state_ == State::kData) receiver_.end_part();
  state_ = State::kDelimited;
  return true;
}

bool MultipartParser::take_delimiter_end() {
  if (pending_.size() < 2) return false;
  if (pending_.starts_with("--")) {
    state_ = State::kEpilogue;
    return true;
  }
  if (!pending_.starts_with(kLineEnd)) throw invalid_argument("the form has a boundary that does not end its line");
  if (++parts_ > kMaxParts) throw invalid_argument("the form has more than {} parts", kMaxParts);
  state_ = State::kHeaders;  // its first line begins behind the CR LF, which stays: a part may have no headers at all
  return true;
}

bool MultipartParser::take_headers() {
  const size_t end = pending_.find(kHeadersEnd);
  if (std::min(end, pending_.size()) > kMaxHeaderBytes)
    throw invalid_argument("the form has a part with more than {} bytes of headers", kMaxHeaderBytes);
  if (end == std::string::npos) return false;
  const MultipartPart part =
      read_part_headers(std::string_view(pending_).substr(kLineEnd.size(), end - std::min(end, kLineEnd.size())));
  pending_.erase(0, end + kHeadersEnd.size());
  state_ = State::kData;
  receiver_.begin_part(part);
  return true;
}

}  // namespace hearth
