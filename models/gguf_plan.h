// What a Hugging Face checkpoint becomes as a GGUF file: metadata and tensors as llama.cpp's converter writes them.
// Every fact comes from where reading a GGUF has it (the architectures' entries), and what was planned is read back: a
// model whose configuration a GGUF cannot hold is refused before anything is written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/model_config.h"
#include "runtime/io/gguf_writer.h"
#include "runtime/io/weight_source.h"

namespace hearth {

struct GgufPlan {
  struct Part {
    std::string name;            // of the checkpoint, as arranged_weights has it
    std::vector<int64_t> shape;  // likewise
    WeightSource::Place place;
  };
  struct Tensor {
    std::string name;
    std::vector<int64_t> dims;       // as ggml counts them, the contiguous one first
    std::vector<Part> parts;         // whose rows follow one another
    std::vector<float> values = {};  // in place of parts: what is no tensor of the checkpoint
  };

  std::vector<GgufEntry> metadata;  // general.architecture and the architecture's own
  std::vector<Tensor> tensors;
  WeightSource places;  // the file as it will be read
  int num_experts = 0;
  std::vector<std::string> notes;  // what the file will not say
};

// `source` is arranged_weights of the checkpoint, `place` stands for it in messages. Throws kInvalidArgument for what
// a GGUF cannot hold.
GgufPlan plan_gguf(const WeightSource& source, const ModelConfig& config, const std::string& place);

}  // namespace hearth
