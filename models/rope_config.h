// A model's rope parameters from config.json (rope_parameters of transformers 5, rope_theta and rope_scaling of 4, as
// its convert_rope_params_to_dict reads them) or from a GGUF's metadata.
#pragma once

#include <string>
#include <vector>

namespace hearth {

class ConfigReader;
class GgufKeys;
class GgufKeyWriter;
struct ModelConfig;

// Set rope, sliding_rope and partial_rotary_factor or rotary_dim of `config`, whose head_dim and
// max_position_embeddings are known. Throw kInvalidArgument and kDataCorruption.
void read_rope(const ConfigReader& json, ModelConfig& config);
void read_rope(const GgufKeys& keys, ModelConfig& config);
// Phi-3's, which a GGUF holds in two tensors.
void read_longrope(const GgufKeys& keys, ModelConfig& config);

// The way back, as llama.cpp's converter writes it.
void describe_rope(const ModelConfig& config, GgufKeyWriter& keys);
void describe_longrope(const ModelConfig& config, GgufKeyWriter& keys);
// What it holds in tensors: longrope's factors, and llama3's scaling.
struct RopeTensor {
  std::string name;
  std::vector<float> values;  // [rotary_dim / 2]
};
std::vector<RopeTensor> rope_tensors(const ModelConfig& config);

}  // namespace hearth
