// A GGUF's metadata "<architecture>.<key>": read with the same checks as ConfigReader (a key out of range is an error
// that names file and key), and written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/io/gguf_writer.h"

namespace hearth {

class GgufFile;
struct ModelConfig;

class GgufKeys {
 public:
  // `gguf` must outlive the keys. `prefix` is "llama.".
  GgufKeys(const GgufFile& gguf, std::string prefix) : gguf_(gguf), prefix_(std::move(prefix)) {}

  const GgufFile& gguf() const { return gguf_; }
  const std::string& place() const;

  std::optional<int64_t> integer(std::string_view key, int64_t least, int64_t most) const;
  std::optional<double> number(std::string_view key, double least, double most) const;
  std::optional<std::string_view> text(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  int64_t required_integer(std::string_view key, int64_t least, int64_t most) const;
  double required_number(std::string_view key, double least, double most) const;
  // For keys of variants that would compute something else; as a factor, 1 is harmless.
  void refuse(std::string_view key) const;

 private:
  std::string full(std::string_view key) const { return prefix_ + std::string(key); }

  const GgufFile& gguf_;
  std::string prefix_;
};

class GgufKeyWriter {
 public:
  explicit GgufKeyWriter(std::string prefix) : prefix_(std::move(prefix)) {}

  void integer(std::string_view key, int64_t value);  // not negative
  void number(std::string_view key, double value);
  void text(std::string_view key, std::string_view value);
  void boolean(std::string_view key, bool value);
  const std::vector<GgufEntry>& entries() const { return entries_; }

 private:
  std::string full(std::string_view key) const { return prefix_ + std::string(key); }

  std::string prefix_;
  std::vector<GgufEntry> entries_;
};

// config.mixture's numbers of experts, and which layers have them: those with a router.
void read_experts(const GgufKeys& keys, ModelConfig& config);

}  // namespace hearth
