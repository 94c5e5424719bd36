#include "server/pulled_models.h"

#include <filesystem>
#include <vector>

#include "models/resolver.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "server/state/clock.h"

namespace hearth {

std::string PulledModels::add(const std::string& name) {
  const std::filesystem::path path = resolve_model(name);
  if (const auto known = host_.base_of(path)) return *known;
  std::string id = host_.free_id(model_id(name), path);
  if (!host_.path_of(id)) host_.add_base({.id = id, .path = path}, ModelOrigin::kPulled);
  return id;
}

std::string PulledModels::serve(const std::string& name) {
  std::string id = add(name);
  if (database_)
    database_->transaction([&](SqlTransaction& sql) {
      sql.run("INSERT OR IGNORE INTO pulled_models (name, pulled_at) VALUES (?, ?)", {name, unix_milliseconds()});
    });
  return id;
}

void PulledModels::serve_again(Database& database) {
  database_ = &database;
  const auto names = database.transaction([](SqlTransaction& sql) {
    std::vector<std::string> found;
    SqlRows rows = sql.query("SELECT name FROM pulled_models ORDER BY pulled_at, name");
    while (rows.next()) found.push_back(rows.text(0));
    return found;
  });
  for (const std::string& name : names) {
    try {
      add(name);
    } catch (const Error& error) {
      log::warn("{}, which was pulled, is not served: {}", name, error.what());
      database.transaction([&](SqlTransaction& sql) { sql.run("DELETE FROM pulled_models WHERE name = ?", {name}); });
    }
  }
}

}  // namespace hearth
