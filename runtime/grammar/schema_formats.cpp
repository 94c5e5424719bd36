#include "runtime/grammar/schema_formats.h"

#include <array>

#include <fmt/format.h>

namespace hearth {
namespace {

// RFC 3339, section 5.6, with the days that a month has; seconds up to 59.
constexpr std::string_view kLeapYear = R"((?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00))";
constexpr std::string_view kOtherDays =
    R"(\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8])))";
constexpr std::string_view kTime =
    R"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))";
constexpr std::string_view kUuid = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
constexpr std::string_view kOctet = R"((?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))";
// RFC 1123: labels of letters, digits and hyphens inside.
constexpr std::string_view kLabel = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
// RFC 5321's dot-string; quoted local parts are left out.
constexpr std::string_view kAtom = R"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})";

constexpr std::string_view kNames[] = {"date", "date-time", "email", "hostname", "ipv4", "time", "uuid"};

}  // namespace

std::span<const std::string_view> format_names() { return kNames; }

std::optional<std::string> format_pattern(std::string_view format) {
  const std::string date = fmt::format("(?:{}|{}-02-29)", kOtherDays, kLeapYear);
  const std::string hostname = fmt::format("{0}(?:\\.{0}){{0,8}}", kLabel);
  if (format == "date") return fmt::format("^{}$", date);
  if (format == "time") return fmt::format("^{}$", kTime);
  if (format == "date-time") return fmt::format("^{}T{}$", date, kTime);
  if (format == "uuid") return fmt::format("^{}$", kUuid);
  if (format == "ipv4") return fmt::format("^{0}\\.{0}\\.{0}\\.{0}$", kOctet);
  if (format == "hostname") return fmt::format("^{}$", hostname);
  if (format == "email") return fmt::format("^{0}(?:\\.{0}){{0,4}}@{1}$", kAtom, hostname);
  return std::nullopt;
}

}  // namespace hearth
