// Brings models and adapters from disk to where requests can name them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/app.h"
#include "server/served_model.h"

namespace hearth {

// The model, warm, and its adapters behind it. Throws what loading and read_adapter throw.
std::vector<std::shared_ptr<ServedModel>> load_served(const AppOptions& options, const AppOptions::Model& source);

// An adapter on a model that may be answering already. Throws what read_adapter and served_adapter throw.
std::shared_ptr<ServedModel> serve_adapter(const ServedModel& model, const AppOptions::Adapter& source);

}  // namespace hearth
