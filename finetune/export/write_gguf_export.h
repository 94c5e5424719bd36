// The GGUF file of an export: the metadata and tensors of the base (a GGUF file, or a Hugging Face checkpoint as one),
// with the adapters worked in and the types asked for.
#pragma once

#include <memory>
#include <optional>

#include "finetune/export/changed_tensors.h"
#include "finetune/export/checkpoint_as_gguf.h"
#include "finetune/export/export_directory.h"
#include "finetune/export/export_model.h"
#include "finetune/export/exported_chat.h"
#include "runtime/io/gguf.h"

namespace hearth {

struct GgufExport {
  std::optional<GgufQuantization> quantization;  // nothing: each tensor as it is
  const ExportedChat& chat;
  const Tokenizer& tokenizer;
};

// Throws kInvalidArgument for a tensor that adapters change and whose type can only be read.
void write_gguf_export(const GgufFile& base, const ChangedTensors& changed, const GgufExport& how,
                       const ExportDirectory& directory, ExportMonitor& monitor);
// `source` is what the base was made of, `changed` goes by its places, and `how` has a quantization.
void write_gguf_export(const CheckpointAsGguf& base, WeightSource& source, const ChangedTensors& changed,
                       const GgufExport& how, const ExportDirectory& directory, ExportMonitor& monitor);

}  // namespace hearth
