#include "server/jobs/tar.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

namespace hearth {
namespace {

constexpr size_t kBlock = 512, kLongestName = 100;
constexpr int64_t kLargestSize = (int64_t{1} << 33) - 1;  // 11 octal digits

// IEEE Std 1003.1, pax, "ustar Interchange Format".
std::string block_of(std::string_view name, int64_t bytes, int64_t modified_at, char type) {
  std::string block(kBlock, '\0');
  const auto put = [&](size_t offset, std::string_view text) { std::ranges::copy(text, block.begin() + offset); };
  put(0, name.substr(0, kLongestName));
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", std::min(bytes, kLargestSize)));
  put(136, fmt::format("{:011o}", std::clamp<int64_t>(modified_at, 0, kLargestSize)));
  put(148, "        ");
  block[156] = type;
  put(257, std::string_view("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum));
  block[154] = '\0';
  return block;
}

// "27 path=...\n": the number counts itself.
std::string record(std::string_view key, std::string_view value) {
  const size_t without = key.size() + value.size() + 3;
  size_t size = without + 1;
  while (size != without + std::to_string(size).size()) size = without + std::to_string(size).size();
  return fmt::format("{} {}={}\n", size, key, value);
}

}  // namespace

std::string tar_header(std::string_view name, int64_t bytes, int64_t modified_at) {
  std::string records;
  if (name.size() > kLongestName) records += record("path", name);
  if (bytes > kLargestSize) records += record("size", std::to_string(bytes));
  std::string header;
  if (!records.empty()) {
    const auto size = static_cast<int64_t>(records.size());
    header = block_of("pax_header", size, modified_at, 'x') + records + tar_padding(size);
  }
  return header + block_of(name, bytes, modified_at, '0');
}

std::string tar_padding(int64_t bytes) {
  const auto size = static_cast<int64_t>(kBlock);
  return std::string(static_cast<size_t>((size - bytes % size) % size), '\0');
}

std::string tar_end() { return std::string(2 * kBlock, '\0'); }

}  // namespace hearth
