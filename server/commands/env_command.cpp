#include <fstream>

#include <boost/version.hpp>
#include <curl/curl.h>
#include <fmt/format.h>
#include <histedit.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <spdlog/version.h>
#include <sys/utsname.h>

#include "models/hub_cache.h"
#include "runtime/base/cpu.h"
#include "runtime/base/parallel.h"
#include "server/commands/commands.h"
#include "server/hub/progress.h"

namespace hearth {
namespace {

std::string system_name() {
  std::ifstream release("/etc/os-release");
  std::string name = "unknown";
  for (std::string line; std::getline(release, line);)
    if (line.starts_with("PRETTY_NAME=")) {
      name = line.substr(std::string_view("PRETTY_NAME=").size());
      std::erase(name, '"');
    }
  utsname kernel{};
  return ::uname(&kernel) == 0 ? fmt::format("{}, {} {} {}", name, kernel.sysname, kernel.release, kernel.machine)
                               : name;
}

std::string memory() {
  std::ifstream info("/proc/meminfo");
  uint64_t total = 0, available = 0;
  std::string key, unit;
  for (uint64_t kibibytes = 0; info >> key >> kibibytes; std::getline(info, unit)) {
    if (key == "MemTotal:") total = kibibytes * 1024;
    if (key == "MemAvailable:") available = kibibytes * 1024;
  }
  return fmt::format("{}, {} available", format_bytes(total), format_bytes(available));
}

int print_env() {
  const auto line = [](std::string_view key, const std::string& value) { fmt::print("- {}: {}\n", key, value); };
  line("hearth", HEARTH_VERSION);
  line("system", system_name());
  line("CPU", cpu_description());
  line("kernels", std::string(to_string(isa())));
  line("compute threads", std::to_string(num_threads()));
  line("memory", memory());
  line("compiler", __VERSION__);
  line("sanitizers", HEARTH_SANITIZERS);
  line("libraries",
       fmt::format(
           "{}, {}, Boost {}.{}.{}, fmt {}.{}.{}, spdlog {}.{}.{}, nlohmann-json {}.{}.{}, CLI11 {}, libedit {}.{}",
           curl_version(), OpenSSL_version(OPENSSL_VERSION), BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
           BOOST_VERSION % 100, FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100, SPDLOG_VER_MAJOR,
           SPDLOG_VER_MINOR, SPDLOG_VER_PATCH, NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
           NLOHMANN_JSON_VERSION_PATCH, CLI11_VERSION, LIBEDIT_MAJOR, LIBEDIT_MINOR));
  line("model cache", model_cache_directory().string());
  line("hub cache", hub_cache_directory().string());
  return 0;
}

}  // namespace

Prepare add_env(CLI::App& app) {
  app.footer("Example:\n  hearth env");
  return []() -> Run { return print_env; };
}

Prepare add_version(CLI::App& app) {
  app.footer("Example:\n  hearth version");
  return []() -> Run {
    return [] {
      fmt::print("hearth {}\n", HEARTH_VERSION);
      return 0;
    };
  };
}

}  // namespace hearth
