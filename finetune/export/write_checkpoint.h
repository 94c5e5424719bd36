// The weights of a Hugging Face export: the checkpoint's own tensors, with the adapters worked in, as model.safetensors
// or as shards with their index, named as transformers names them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "finetune/export/changed_tensors.h"
#include "finetune/export/export_directory.h"
#include "finetune/export/export_model.h"

namespace hearth {

// `dtype`: of all float tensors; nothing: as each is. Throws kInvalidArgument for a tensor that adapters change and
// whose type is none that hearth computes with.
void write_checkpoint(const std::filesystem::path& source, const ChangedTensors& changed, std::optional<Format> dtype,
                      uint64_t shard_bytes, const ExportDirectory& directory, ExportMonitor& monitor);

}  // namespace hearth
