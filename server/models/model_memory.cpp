#include "server/models/model_memory.h"

#include <exception>
#include <memory>

#include "models/adapters/peft_adapter.h"
#include "runtime/base/memory.h"
#include "runtime/engine/engine.h"
#include "runtime/io/checkpoint_file.h"
#include "runtime/io/gguf.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/torch_bin.h"
#include "server/load_served.h"

namespace hearth {
namespace {

template <class File>
int64_t tensor_bytes_of(const File& file) {
  int64_t bytes = 0;
  for (const auto& tensor : file.tensors()) bytes += static_cast<int64_t>(tensor.bytes.size());
  return bytes;
}

int64_t weight_bytes(const std::filesystem::path& model) {
  if (!std::filesystem::is_directory(model)) return tensor_bytes_of(*GgufFile::open(model));
  int64_t bytes = 0;
  for (const auto& file : has_checkpoint(model, "model.safetensors") ? open_safetensors(model) : open_torch_bin(model))
    bytes += tensor_bytes_of(*file);
  return bytes;
}

}  // namespace

ModelConfig config_of_model(const std::filesystem::path& model) {
  return std::filesystem::is_directory(model) ? read_model_config(model / "config.json")
                                              : read_model_config(*GgufFile::open(model));
}

int64_t estimate_memory(const AppOptions& options, const AppOptions::Model& model) {
  try {
    return weight_bytes(model.path) + cache_bytes(engine_options(options), model_dims(config_of_model(model.path)));
  } catch (const std::exception&) {
    return 0;
  }
}

int64_t adapter_memory(const std::filesystem::path& adapter) {
  try {
    return tensor_bytes_of(*open_adapter_tensors(adapter));
  } catch (const std::exception&) {
    return 0;
  }
}

int64_t default_model_memory() { return total_memory() / 4 * 3; }

}  // namespace hearth
