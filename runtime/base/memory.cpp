#include "runtime/base/memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <utility>

#include <unistd.h>

#include "runtime/base/error.h"

namespace hearth {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max() / 2;
constexpr const char* kGroupLimit = "/sys/fs/cgroup/memory.max";

std::optional<int64_t> number_in(const char* path) {
  std::ifstream file(path);
  std::string text;
  if (!(file >> text)) return std::nullopt;
  int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc()) return std::nullopt;  // "max"
  return value;
}

// "MemAvailable:   123 kB"
std::optional<int64_t> meminfo(std::string_view key) {
  std::ifstream file("/proc/meminfo");
  std::string name;
  int64_t kilobytes = 0;
  std::string unit;
  while (file >> name >> kilobytes && std::getline(file, unit))
    if (name == key) return kilobytes * 1024;
  return std::nullopt;
}

constexpr std::pair<std::string_view, int64_t> kUnits[] = {
    {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},     {"TiB", int64_t{1} << 40},
    {"kB", 1000},     {"MB", 1000'000}, {"GB", 1000'000'000}, {"TB", 1000'000'000'000},
    {"B", 1},         {"", 1}};

}  // namespace

int64_t total_memory() {
  return std::min(meminfo("MemTotal:").value_or(kUnlimited), number_in(kGroupLimit).value_or(kUnlimited));
}

int64_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

int64_t available_memory(int processes) {
  int64_t available = meminfo("MemAvailable:").value_or(kUnlimited);
  const auto limit = number_in(kGroupLimit), used = number_in("/sys/fs/cgroup/memory.current");
  if (limit && used) available = std::min(available, std::max<int64_t>(*limit - *used, 0));
  return available / processes + resident_memory();
}

int64_t parse_memory(std::string_view text) {
  constexpr double kMost = static_cast<double>(int64_t{1} << 60);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto* found =
      std::find_if(std::begin(kUnits), std::end(kUnits), [&](const auto& known) { return known.first == unit; });
  if (error == std::errc() && found != std::end(kUnits)) {
    const double bytes = value * static_cast<double>(found->second);
    if (bytes >= 1 && bytes < kMost) return static_cast<int64_t>(bytes);
  }
  throw invalid_argument("'{}' is no amount of memory: give bytes, or a number with KiB, MiB, GiB or TiB (8GiB)", text);
}

std::string format_memory(int64_t bytes) {
  constexpr const char* kNames[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < std::size(kNames); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kNames[unit]);
}

}  // namespace hearth
