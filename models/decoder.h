// What every decoder-only model has around its layers: token embedding, final norm, output head. A family adds its
// layer (architectures/).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/layers.h"
#include "models/model_config.h"
#include "runtime/language_model.h"

namespace hearth {

class DecoderLayer {
 public:
  virtual ~DecoderLayer() = default;
  // `layer` is its number, which the KV cache goes by.  x [tokens, hidden_size] -> [tokens, hidden_size]
  virtual Tensor forward(const Tensor& x, const Batch& batch, int layer) const = 0;
};

class Decoder : public LanguageModel {
 public:
  // Takes model.embed_tokens, model.norm and lm_head from `load`; a tied head shares the embedding's rows.
  Decoder(const ModelConfig& config, LayerLoader& load, std::vector<std::unique_ptr<const DecoderLayer>> layers);

  const ModelDims& dims() const override { return dims_; }
  Tensor forward(const Batch& batch) const override;
  const OutputHead& output_head() const override { return head_; }

 private:
  ModelDims dims_;
  Weight embedding_;  // [vocab_size, hidden_size]
  std::vector<std::unique_ptr<const DecoderLayer>> layers_;
  RmsNorm norm_;
  OutputHead head_;
};

// A decoder whose layers are `Layer`s: Layer(config, rope, "model.layers.3.", load).
template <class Layer>
std::unique_ptr<const LanguageModel> make_decoder(const ModelConfig& config, LayerLoader& load) {
  const auto rope = std::make_shared<const Rope>(make_rope(config.rope, config.head_dim));
  std::vector<std::unique_ptr<const DecoderLayer>> layers;
  layers.reserve(config.num_hidden_layers);
  for (int i = 0; i < config.num_hidden_layers; ++i)
    layers.push_back(std::make_unique<Layer>(config, rope, "model.layers." + std::to_string(i) + ".", load));
  return std::make_unique<Decoder>(config, load, std::move(layers));
}

}  // namespace hearth
