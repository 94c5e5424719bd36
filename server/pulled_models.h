// What was pulled through the daemon, as models that answer: at once, and again when the daemon is started anew, for as
// long as they are in the cache.
#pragma once

#include <string>

#include "server/models/model_host.h"
#include "server/state/database.h"

namespace hearth {

class PulledModels {
 public:
  explicit PulledModels(ModelHost& host) : host_(host) {}

  // Makes the model known that was pulled by this name; -> its id. Throws as resolve_model and ModelHost::add_base.
  std::string serve(const std::string& name);
  // The same of all that earlier daemons pulled; remembers those of this one from now on. Throws kUnavailable.
  void serve_again(Database& database);

 private:
  std::string add(const std::string& name);

  ModelHost& host_;
  Database* database_ = nullptr;  // null: no state directory, nothing is remembered
};

}  // namespace hearth
