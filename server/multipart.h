// multipart/form-data (RFC 7578) as it arrives: parts are handed on piece by piece, so that a file of any size passes
// through a buffer of a few KiB. Strict, since every client's library writes the same form: what is not that form is a
// 400 that says where it ends to be it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hearth {

struct MultipartPart {
  std::string name;
  std::optional<std::string> filename;  // as the client named it: data, never a path
};

class MultipartReceiver {
 public:
  virtual ~MultipartReceiver() = default;
  virtual void begin_part(const MultipartPart& part) = 0;
  virtual void part_data(std::string_view data) = 0;  // any number of times, never empty
  virtual void end_part() = 0;
};

class MultipartParser {
 public:
  static constexpr size_t kMaxHeaderBytes = 8 << 10;  // of a part
  static constexpr int kMaxParts = 16;

  // `content_type`: the request's header, which has the boundary (1 to 70 characters).
  MultipartParser(std::string_view content_type, MultipartReceiver& receiver);

  // Throws a 400 for what is no form, and what the receiver throws; there is nothing to feed any more then.
  void feed(std::string_view data);
  // After the last byte: throws a 400 when the form has not ended.
  void finish() const;

 private:
  enum class State { kPreamble, kDelimited, kHeaders, kData, kEpilogue };
  bool step();
  bool take_content();
  bool take_delimiter_end();
  bool take_headers();

  std::string delimiter_;  // CR LF -- boundary
  MultipartReceiver& receiver_;
  State state_ = State::kPreamble;
  std::string pending_ = "\r\n";  // not yet handed on; the first delimiter may be the body's begin
  int parts_ = 0;
};

// True for "multipart/form-data", whatever its parameters.
bool is_multipart_form(std::string_view content_type);

}  // namespace hearth
