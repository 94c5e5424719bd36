// The architectures that hearth has. Each defines its entry in its file under architectures/, and registry.cpp lists
// it.
#pragma once

#include <span>
#include <string_view>

#include "models/config_reader.h"
#include "models/decoder.h"
#include "runtime/io/weight_source.h"
#include "runtime/language_model.h"

namespace hearth {

class GgufKeys;
class GgufKeyWriter;

struct Architecture {
  std::string_view name;          // config.json's model_type
  std::string_view hugging_face;  // in config.json's architectures
  std::span<const KeyAlias> key_aliases = {};

  // What holds for all models of the family, before a file is read (norms, activation). Null: as a llama.
  void (*family)(ModelConfig& config) = nullptr;
  // What its config.json says, or means, beyond the keys that all have. Null: nothing.
  void (*configure)(const ConfigReader& json, ModelConfig& config) = nullptr;
  MakeLayer make_layer;
  DecoderNames names = {};
  // Brings a Hugging Face checkpoint's tensors to the names and layouts that `make_layer` asks for. Null: they are
  // that.
  void (*arrange)(WeightSource& source, const ModelConfig& config) = nullptr;
  // Tensors that checkpoints carry and that the model does without, by the ends of their names.
  std::span<const std::string_view> superfluous = {};

  // How its GGUF files differ.
  struct Gguf {
    std::string_view name;  // general.architecture
    // Where several families go by that name: whether a file is of this one. Null: if it is of no other.
    bool (*is_of)(const GgufKeys& keys) = nullptr;
    // That differ from a llama's. Of several names for one tensor the first is read, and each of them written.
    std::span<const GgufName> layer_names = {};
    void (*configure)(const GgufKeys& keys, ModelConfig& config) = nullptr;
    // Writes what `configure` reads, and what llama.cpp reads beside it. Null: what all have (gguf_metadata.h) is all.
    void (*describe)(const ModelConfig& config, GgufKeyWriter& keys) = nullptr;
    // Undoes what llama.cpp's converter did to the tensors beyond their names. Null: nothing.
    void (*restore)(WeightSource& source, const ModelConfig& config) = nullptr;
  } gguf = {};
};

extern const Architecture kCohere, kDeepseekV2, kDeepseekV3, kFalcon, kGemma, kGemma2, kGemma3, kGlm, kGlm4, kGpt2,
    kGptNeox, kGranite, kInternLm2, kInternLm3, kLlama, kMistral, kMixtral, kOlmo2, kPhi3, kQwen2, kQwen2Moe, kQwen3,
    kQwen3Moe, kSmolLm3, kStableLm, kStarcoder2;

std::span<const Architecture* const> architectures();

// Throw kInvalidArgument naming `place` (a file), what it has, and what hearth has.
const Architecture& find_architecture(std::string_view model_type, std::string_view place);
const Architecture& find_gguf_architecture(const GgufFile& gguf);
// Architecture::Gguf::is_of of a family whose files are read as another's.
bool is_never_of(const GgufKeys& keys);

}  // namespace hearth
