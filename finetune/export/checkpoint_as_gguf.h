// What a Hugging Face checkpoint becomes as a GGUF file, but for the types of its tensors.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "finetune/export/exported_chat.h"
#include "models/gguf_plan.h"
#include "models/loader.h"
#include "models/model_config.h"
#include "runtime/io/gguf_writer.h"
#include "runtime/io/weight_source.h"

namespace hearth {

struct CheckpointAsGguf {
  GgufPlan plan;
  std::vector<GgufEntry> metadata;  // the plan's with the vocabulary, the chat template and what ends answers
  std::vector<std::string> notes;   // what the file will not say
};

struct NamedCheckpoint {
  std::filesystem::path directory;
  std::string name;  // general.name
};
// `source` is arranged_weights of the directory, `loaded` what load_model made of it. Throws kInvalidArgument, with the
// remedy, for what GGUF cannot hold.
CheckpointAsGguf checkpoint_as_gguf(const NamedCheckpoint& checkpoint, const WeightSource& source,
                                    const LoadedModel& loaded, const ExportedChat& chat);

}  // namespace hearth
