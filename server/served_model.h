// One model that the daemon serves: its id in the API, what was loaded, and the engine that runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "models/loader.h"
#include "runtime/engine/engine.h"

namespace hearth {

struct ServedModel {
  std::string id;
  int64_t created = 0;         // unix seconds; of the file
  LoadedModel loaded;          // its `defaults` already hold what the configuration overrides
  int default_max_tokens = 0;  // of a chat answer that does not say; 0: what the context holds
  int max_running = 0;         // of the engine
  std::string fingerprint;     // of what decides about the answers: version, model, computation
  std::unique_ptr<Engine> engine;
};

}  // namespace hearth
