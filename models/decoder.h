// What every decoder-only model has around its layers: token embedding, final norm, output head. And the ways in which
// families arrange a layer's norms, attention and feed-forward. A family adds its own (architectures/).
#pragma once

#include <memory>
#include <span>
#include <string_view>
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

// y = x + attention(norm(x)); y + feed_forward(norm(y))
class PreNormLayer : public DecoderLayer {
 public:
  PreNormLayer(Norm attention_norm, std::unique_ptr<const Attention> attention, Norm feed_forward_norm,
               std::unique_ptr<const FeedForward> feed_forward, float residual_multiplier = 1);
  Tensor forward(const Tensor& x, const Batch& batch, int layer) const override;

 private:
  Norm attention_norm_;
  std::unique_ptr<const Attention> attention_;
  Norm feed_forward_norm_;
  std::unique_ptr<const FeedForward> feed_forward_;
  float residual_multiplier_;  // of what is added to x and y
};

// y = x + norm(attention(norm(x))); y + norm(feed_forward(norm(y)))
class SandwichLayer : public DecoderLayer {
 public:
  struct Norms {
    Norm before_attention, after_attention, before_feed_forward, after_feed_forward;
  };
  SandwichLayer(Norms norms, std::unique_ptr<const Attention> attention,
                std::unique_ptr<const FeedForward> feed_forward);
  Tensor forward(const Tensor& x, const Batch& batch, int layer) const override;

 private:
  Norms norms_;
  std::unique_ptr<const Attention> attention_;
  std::unique_ptr<const FeedForward> feed_forward_;
};

// x + attention(norm(x)) + feed_forward(norm(x)), with one norm for both or each its own
class ParallelLayer : public DecoderLayer {
 public:
  ParallelLayer(Norm norm, std::optional<Norm> feed_forward_norm, std::unique_ptr<const Attention> attention,
                std::unique_ptr<const FeedForward> feed_forward);
  Tensor forward(const Tensor& x, const Batch& batch, int layer) const override;

 private:
  Norm norm_;
  std::optional<Norm> feed_forward_norm_;
  std::unique_ptr<const Attention> attention_;
  std::unique_ptr<const FeedForward> feed_forward_;
};

// As Hugging Face names them.
struct DecoderNames {
  std::string_view embedding = "model.embed_tokens", layers = "model.layers", norm = "model.norm", head = "lm_head";
  std::string_view positions = {};  // of learned positions; empty: none
};

class Decoder : public LanguageModel {
 public:
  // A tied head shares the embedding's rows.
  Decoder(const ModelConfig& config, LayerLoader& load, const DecoderNames& names,
          std::vector<std::unique_ptr<const DecoderLayer>> layers);

  const ModelDims& dims() const override { return dims_; }
  Tensor forward(const Batch& batch) const override;
  const OutputHead& output_head() const override { return head_; }
  std::span<const std::shared_ptr<ModelTensor>> tensors() const override { return tensors_; }

 private:
  Tensor embed(const Batch& batch) const;

  ModelDims dims_;
  std::vector<std::shared_ptr<ModelTensor>> tensors_;
  std::shared_ptr<const ModelTensor> embedding_;  // [vocab_size, hidden_size]
  std::shared_ptr<const ModelTensor> positions_;  // [max_position_embeddings, hidden_size] or null
  std::vector<std::unique_ptr<const DecoderLayer>> layers_;
  Norm norm_;
  OutputHead head_;
  float embedding_multiplier_;
};

using MakeLayer = std::unique_ptr<const DecoderLayer> (*)(const LayerContext& at);

std::unique_ptr<const LanguageModel> make_decoder(const ModelConfig& config, LayerLoader& load, MakeLayer make_layer,
                                                  const DecoderNames& names);

// "input_layernorm" and "post_attention_layernorm" before the attention and the feed-forward, as a llama's.
std::unique_ptr<const DecoderLayer> pre_norm_layer(const LayerContext& at, std::unique_ptr<const Attention> attention,
                                                   std::unique_ptr<const FeedForward> feed_forward);

}  // namespace hearth
