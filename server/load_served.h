// Brings models and adapters from disk to where requests can name them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "runtime/engine/engine.h"
#include "server/app.h"
#include "server/served_model.h"

namespace hearth {

// The model, warm, with its `applied` adapters and without those beside it. Throws what loading and read_adapter throw.
std::shared_ptr<ServedModel> load_base(const AppOptions& options, const AppOptions::Model& source);

// An adapter on a model that may be answering already. Throws what read_adapter and served_adapter throw.
std::shared_ptr<ServedModel> serve_adapter(const ServedModel& model, const AppOptions::Adapter& source);

// The id of an adapter that has been applied to the model.
std::shared_ptr<ServedModel> serve_applied(const ServedModel& model, const AppOptions::Adapter& source);

// Unix seconds; 0 for what is not there.
int64_t modification_time(const std::filesystem::path& path);

// As the model's engine is made.
EngineOptions engine_options(const AppOptions& options);

}  // namespace hearth
