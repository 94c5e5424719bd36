// Server-sent events from a byte stream cut anywhere (WHATWG HTML, 9.2.6): calls back with each event's data.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace hearth {

class SseReader {
 public:
  explicit SseReader(std::function<void(const std::string& data)> on_data) : on_data_(std::move(on_data)) {}
  // Throws kDataCorruption when one line is longer than 16 MiB.
  void push(std::string_view bytes);

 private:
  void take_line(std::string_view line);

  std::function<void(const std::string&)> on_data_;
  std::string line_, data_;
  bool has_data_ = false;
};

}  // namespace hearth
