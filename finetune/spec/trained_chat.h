// An adapter answers in the template it was trained with: training_args.yaml, which a run of hearth (and
// LLaMA-Factory's web page) leaves beside it, says which that was.
#pragma once

#include <filesystem>
#include <string>

#include "models/loader.h"

namespace hearth {

// Takes template, default_system, tool_format and enable_thinking of the adapter's run for `loaded`, unless the user
// named a template: then that one stays, and one warning says that the adapter knows another. `id`: for the log.
void chat_as_trained(const std::filesystem::path& adapter, const std::string& id, LoadedModel& loaded);

}  // namespace hearth
