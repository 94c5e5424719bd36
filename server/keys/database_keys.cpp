#include "server/keys/database_keys.h"

#include <exception>
#include <utility>

#include "runtime/base/log.h"
#include "server/keys/key_table.h"

namespace hearth {

using Clock = std::chrono::steady_clock;

DatabaseKeys::DatabaseKeys(Database& database, std::chrono::milliseconds every,
                           std::chrono::milliseconds write_uses_every)
    : database_(database),
      every_(every),
      write_uses_every_(write_uses_every),
      keys_(std::make_shared<const Keys>(read_keys(database))),
      thread_([this] { run(); }) {}

DatabaseKeys::~DatabaseKeys() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_one();
  thread_.join();
}

std::shared_ptr<const KeyStore::Keys> DatabaseKeys::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

void DatabaseKeys::used(const ApiKey& key) {
  const std::lock_guard lock(mutex_);
  uses_[key.digest] = unix_milliseconds();
}

void DatabaseKeys::run() {
  bool failing = false;  // told once, not every second
  Clock::time_point written = Clock::now();
  for (bool stopping = false; !stopping;) {
    {
      std::unique_lock lock(mutex_);
      stopping = stop_.wait_for(lock, every_, [this] { return stopping_; });
    }
    try {
      if (stopping || Clock::now() - written >= write_uses_every_) {
        written = Clock::now();
        write_uses();
      }
      auto keys = std::make_shared<const Keys>(read_keys(database_));
      const std::lock_guard lock(mutex_);
      keys_ = std::move(keys);
      failing = false;
    } catch (const std::exception& error) {
      if (!failing) log::warn("API keys stay as they were: {}", error.what());
      failing = true;
    }
  }
}

void DatabaseKeys::write_uses() {
  std::map<KeyDigest, int64_t> uses;
  {
    const std::lock_guard lock(mutex_);
    uses.swap(uses_);
  }
  if (!uses.empty()) note_use(database_, uses);
}

}  // namespace hearth
