#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>

#include <fmt/chrono.h>

#include "runtime/base/error.h"
#include "server/commands/commands.h"
#include "server/keys/key_table.h"
#include "server/serve_options.h"
#include "server/state/state_directory.h"

namespace hearth {
namespace {

constexpr int64_t kMillisecondsADay = 86'400'000;

struct Arguments {
  std::string state_dir, name, scopes = "infer";
  int requests_per_minute = 0, expires_days = 0;
};

std::unique_ptr<Database> database_of(const Arguments& arguments) {
  std::filesystem::path directory = arguments.state_dir;
  const char* variable = std::getenv(serve_option("state_dir").environment().c_str());
  if (directory.empty()) directory = variable && *variable ? variable : default_state_directory();
  return open_state_database(directory);
}

std::string time_text(const std::optional<int64_t>& milliseconds, const char* otherwise) {
  if (!milliseconds) return otherwise;
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(static_cast<std::time_t>(*milliseconds / 1000)));
}

std::string state_text(const ApiKey& key, int64_t now) {
  if (key.revoked_at) return "revoked " + time_text(key.revoked_at, "");
  if (!key.expires_at) return "valid";
  return (key.is_valid(now) ? "valid until " : "expired ") + time_text(key.expires_at, "");
}

int list_keys(const Arguments& arguments) {
  const std::vector<ApiKey> keys = read_keys(*database_of(arguments));
  if (keys.empty()) {
    fmt::print(stderr, "there is no key; make one with: hearth keys create NAME\n");
    return 0;
  }
  size_t width = 4;
  for (const ApiKey& key : keys) width = std::max(width, key.name.size());
  fmt::print("{:<{}}  {:<7}  {:<17}  {:>10}  {:<16}  {:<16}  STATE\n", "NAME", width, "KEY", "SCOPES", "A MINUTE",
             "CREATED", "LAST USED");
  for (const ApiKey& key : keys)
    fmt::print("{:<{}}  ...{}  {:<17}  {:>10}  {:<16}  {:<16}  {}\n", key.name, width, key.ending, key.scopes.text(),
               key.requests_per_minute ? fmt::format("{}", *key.requests_per_minute) : "default",
               time_text(key.created_at, ""), time_text(key.last_used_at, "never"),
               state_text(key, unix_milliseconds()));
  return 0;
}

int create(const Arguments& arguments, ApiKey key) {
  const std::string text = create_key(*database_of(arguments), std::move(key));
  fmt::print("{}\n", text);
  fmt::print(stderr, "this is the only time that the key is shown; hearth keeps a digest of it\n");
  return 0;
}

int revoke(const Arguments& arguments) {
  revoke_key(*database_of(arguments), arguments.name);
  fmt::print(stderr, "revoked '{}': a running daemon refuses it within a few seconds\n", arguments.name);
  return 0;
}

}  // namespace

Prepare add_keys(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.require_subcommand(1);
  CLI::App* make = app.add_subcommand("create", "Make a key and print it, this once");
  CLI::App* list = app.add_subcommand("list", "Show all keys: the end of each, what it may do, when it was used");
  CLI::App* end = app.add_subcommand("revoke", "Refuse a key from now on");
  make->add_option("NAME", arguments->name, "What lists and logs call it")->required();
  make->add_option("--scope", arguments->scopes,
                   "infer (default), train, admin, or several with commas; admin may do everything");
  CLI::Option* limit = make->add_option("--requests-per-minute", arguments->requests_per_minute,
                                        "Its own limit (default: the daemon's; 0: none)");
  limit->check(CLI::Range(0, 1'000'000));
  CLI::Option* expires = make->add_option("--expires", arguments->expires_days, "Days that it is valid for");
  expires->type_name("DAYS")->check(CLI::Range(1, 36'500));
  end->add_option("NAME", arguments->name, "As `hearth keys list` shows it")->required();
  for (CLI::App* sub : {make, list, end})
    sub->add_option("--state-dir", arguments->state_dir, "The daemon's (default: as for `hearth serve`)");
  app.footer(
      "Examples:\n"
      "  hearth keys create laptop\n"
      "  hearth keys create trainer --scope infer,train --expires 90\n"
      "  hearth keys list\n"
      "  hearth keys revoke laptop\n\n"
      "A running daemon takes changes in within a few seconds. Once there is a key, every request needs one, also "
      "after\n"
      "all keys were revoked.");
  return [=]() -> Run {
    if (list->parsed()) return [=] { return list_keys(*arguments); };
    if (end->parsed()) return [=] { return revoke(*arguments); };
    check_key_name(arguments->name);
    ApiKey key{.name = arguments->name, .scopes = parse_scopes(arguments->scopes)};
    if (limit->count() > 0) key.requests_per_minute = arguments->requests_per_minute;
    if (expires->count() > 0) key.expires_at = unix_milliseconds() + arguments->expires_days * kMillisecondsADay;
    return [=] { return create(*arguments, key); };
  };
}

}  // namespace hearth
