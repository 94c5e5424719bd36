// What a Hugging Face export has beside its weights: the checkpoint's small files, changed where the template or the
// dtype of the export say otherwise.
#pragma once

#include <filesystem>
#include <optional>

#include "finetune/export/exported_chat.h"
#include "runtime/kernels/format.h"

namespace hearth {

// `dtype` goes into config.json. Throws kDataCorruption for a file that is no JSON object.
void write_small_files(const std::filesystem::path& source, const LoadedModel& model, const ExportedChat& chat,
                       std::optional<Format> dtype, const std::filesystem::path& directory);

}  // namespace hearth
