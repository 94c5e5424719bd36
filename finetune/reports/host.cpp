#include "finetune/reports/host.h"

#include <array>
#include <chrono>
#include <ctime>

#include <unistd.h>

namespace hearth {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

std::string now_as(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  std::array<char, 128> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &local)};
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace hearth
