// Llama 2 and 3, SmolLM2, TinyLlama: pre-norm decoder with grouped-query attention, rope and a gated MLP (transformers'
// LlamaForCausalLM). Other families are this one but for a detail.
#pragma once

#include <memory>
#include <string>

#include "models/decoder.h"

namespace hearth {

class LlamaLayer : public DecoderLayer {
 public:
  // `name` is "model.layers.3.", below which Hugging Face names its tensors.
  LlamaLayer(const ModelConfig& config, std::shared_ptr<const Rope> rope, const std::string& name, LayerLoader& load);
  Tensor forward(const Tensor& x, const Batch& batch, int layer) const override;

 protected:
  // What else becomes of q [tokens, num_heads * head_dim] and k [tokens, num_kv_heads * head_dim] before rope.
  virtual void prepare(Tensor& q, Tensor& k) const;

 private:
  std::shared_ptr<const Rope> rope_;
  ops::AttentionSpec attention_;
  RmsNorm input_norm_;
  QkvProjection qkv_;
  Linear output_;
  RmsNorm post_attention_norm_;
  GatedMlp mlp_;
};

std::unique_ptr<const LanguageModel> make_llama(const ModelConfig& config, LayerLoader& load);

}  // namespace hearth
