// The keys of the state database as a running daemon sees them: a thread of its own reads them again every second and
// writes once a minute which were used, so that no request waits for the disk. While the database cannot be read, the
// keys of the last time hold.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "server/keys/key_store.h"
#include "server/state/database.h"

namespace hearth {

class DatabaseKeys : public KeyStore {
 public:
  // Reads them once; throws what reading throws. `database` outlives it.
  explicit DatabaseKeys(Database& database, std::chrono::milliseconds every = std::chrono::seconds(1),
                        std::chrono::milliseconds write_uses_every = std::chrono::minutes(1));
  ~DatabaseKeys() override;  // writes what was used
  DatabaseKeys(const DatabaseKeys&) = delete;
  DatabaseKeys& operator=(const DatabaseKeys&) = delete;

  std::shared_ptr<const Keys> keys() const override;
  void used(const ApiKey& key) override;

 private:
  void run();
  void write_uses();

  Database& database_;
  const std::chrono::milliseconds every_, write_uses_every_;
  mutable std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::shared_ptr<const Keys> keys_;
  std::map<KeyDigest, int64_t> uses_;  // since they were written
  std::thread thread_;
};

}  // namespace hearth
