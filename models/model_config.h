// A model's hyper-parameters, from config.json or from a GGUF's metadata. Strict: what would make the model compute
// something else in silence (an unknown type, activation or scaling, a size out of range) is an error with its name.
// Defaults are those of transformers' LlamaConfig.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "models/rope_scaling.h"
#include "runtime/language_model.h"

namespace hearth {

class GgufFile;

// Names are config.json's.
struct ModelConfig {
  std::string architecture;  // a name of models/registry.h
  int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0;
  int num_hidden_layers = 0, num_attention_heads = 0, num_key_value_heads = 0, head_dim = 0;
  int max_position_embeddings = 0;
  float rms_norm_eps = 0;
  bool attention_bias = false;         // of q, k and v
  bool attention_output_bias = false;  // of o
  bool mlp_bias = false;               // of gate, up and down
  bool tie_word_embeddings = false;
  int sliding_window = 0;  // tokens that attention reaches back; 0: all. Contexts are no longer than this
  RopeParameters rope;
};

// Throws kNotFound, kInvalidArgument for what hearth does not have, kDataCorruption for what cannot be; the message
// names the file and the key.
ModelConfig read_model_config(const std::filesystem::path& config_json);
ModelConfig read_model_config(const GgufFile& gguf);

// What the engine knows of it.
ModelDims model_dims(const ModelConfig& config);

}  // namespace hearth
