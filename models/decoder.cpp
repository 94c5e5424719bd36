#include "models/decoder.h"

#include <string>

#include <fmt/format.h>

#include "models/vision/vision_config.h"

namespace hearth {
namespace {

std::shared_ptr<const Rope> rope_of(const RopeParameters& parameters, const ModelConfig& c) {
  if (c.rotary_dim == 0) return nullptr;
  const bool is_apart = c.latent.kv_lora_rank > 0;  // the rotated part of a head
  Rope rope = make_rope(parameters, is_apart ? c.rotary_dim : c.head_dim, c.rotary_dim);
  rope.pairs = c.rope_pairs;
  if (c.vision) rope.sections = c.vision->mrope_section;
  return std::make_shared<const Rope>(std::move(rope));
}

}  // namespace

PreNormLayer::PreNormLayer(Norm attention_norm, std::unique_ptr<const Attention> attention, Norm feed_forward_norm,
                           std::unique_ptr<const FeedForward> feed_forward, float residual_multiplier)
    : attention_norm_(std::move(attention_norm)),
      attention_(std::move(attention)),
      feed_forward_norm_(std::move(feed_forward_norm)),
      feed_forward_(std::move(feed_forward)),
      residual_multiplier_(residual_multiplier) {}

Tensor PreNormLayer::forward(const Tensor& x, const Batch& batch, int layer) const {
  const auto scaled = [&](const Tensor& y) {
    return residual_multiplier_ == 1 ? y : ops::scale(y, residual_multiplier_);
  };
  const Tensor y = ops::add(x, scaled((*attention_)(attention_norm_(x), batch, layer)));
  return ops::add(y, scaled((*feed_forward_)(feed_forward_norm_(y), batch)));
}

SandwichLayer::SandwichLayer(Norms norms, std::unique_ptr<const Attention> attention,
                             std::unique_ptr<const FeedForward> feed_forward)
    : norms_(std::move(norms)), attention_(std::move(attention)), feed_forward_(std::move(feed_forward)) {}

Tensor SandwichLayer::forward(const Tensor& x, const Batch& batch, int layer) const {
  const Tensor y = ops::add(x, norms_.after_attention((*attention_)(norms_.before_attention(x), batch, layer)));
  return ops::add(y, norms_.after_feed_forward((*feed_forward_)(norms_.before_feed_forward(y), batch)));
}

ParallelLayer::ParallelLayer(Norm norm, std::optional<Norm> feed_forward_norm,
                             std::unique_ptr<const Attention> attention,
                             std::unique_ptr<const FeedForward> feed_forward)
    : norm_(std::move(norm)),
      feed_forward_norm_(std::move(feed_forward_norm)),
      attention_(std::move(attention)),
      feed_forward_(std::move(feed_forward)) {}

Tensor ParallelLayer::forward(const Tensor& x, const Batch& batch, int layer) const {
  const Tensor h = norm_(x);
  const Tensor y = ops::add(x, (*attention_)(h, batch, layer));
  return ops::add(y, (*feed_forward_)(feed_forward_norm_ ? (*feed_forward_norm_)(x) : h, batch));
}

Decoder::Decoder(const ModelConfig& c, LayerLoader& load, const DecoderNames& names,
                 std::vector<std::unique_ptr<const DecoderLayer>> layers)
    : dims_(model_dims(c)),
      embedding_(load.table(std::string(names.embedding), c.vocab_size, c.hidden_size)),
      layers_(std::move(layers)),
      norm_(load.norm(std::string(names.norm), c.hidden_size, c.norm)),
      embedding_multiplier_(c.embedding_multiplier) {
  if (!names.positions.empty())
    positions_ = load.table(std::string(names.positions), c.max_position_embeddings, c.hidden_size);
  head_.softcap = c.final_logit_softcap;
  head_.hidden_multiplier = c.logit_multiplier;
  head_.tensor = c.tie_word_embeddings ? embedding_ : load.matrix(std::string(names.head), c.vocab_size, c.hidden_size);
  head_.weight = c.tie_word_embeddings ? load.tied(*embedding_) : head_.tensor->weight;
  tensors_ = load.tensors();
}

Tensor Decoder::embed(const Batch& batch) const {
  const auto rows_of = [](std::span<const TokenId> ids, const ModelTensor& table) {
    return table.trained ? ops::embedding(ids, Tape::leaf(*table.trained)) : ops::embedding(ids, table.weight);
  };
  Tensor x = rows_of(batch.token_ids, *embedding_);  // [tokens, hidden_size]
  if (batch.embedding_noise.defined()) x = ops::add(x, batch.embedding_noise);
  if (embedding_multiplier_ != 1) x = ops::scale(x, embedding_multiplier_);
  if (!batch.embedded.rows.empty()) x = ops::replace_rows(x, batch.embedded.rows, batch.embedded.values);
  return positions_ ? ops::add(x, rows_of(batch.positions, *positions_)) : x;
}

Tensor Decoder::forward(const Batch& batch) const {
  Tensor x = embed(batch);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const int layer = static_cast<int>(i);
    const auto compute = [this, &batch, layer](const Tensor& in) { return layers_[layer]->forward(in, batch, layer); };
    x = layer < batch.recomputed_layers ? ops::checkpoint(compute, x) : compute(x);
  }
  x = norm_(x);
  return head_.hidden_multiplier == 1 ? x : ops::scale(x, head_.hidden_multiplier);
}

std::unique_ptr<const LanguageModel> make_decoder(const ModelConfig& c, LayerLoader& load, MakeLayer make_layer,
                                                  const DecoderNames& names) {
  const auto rope = rope_of(c.rope, c), sliding_rope = c.sliding_rope ? rope_of(*c.sliding_rope, c) : rope;
  std::vector<std::unique_ptr<const DecoderLayer>> layers;
  layers.reserve(c.num_hidden_layers);
  for (int i = 0; i < c.num_hidden_layers; ++i) {
    LayerContext at{c, load, i, fmt::format("{}.{}.", names.layers, i), c.windows[i] > 0 ? sliding_rope : rope};
    if (!c.layers_with_rope.empty() && !c.layers_with_rope[i]) at.rope = nullptr;
    layers.push_back(make_layer(at));
  }
  return std::make_unique<Decoder>(c, load, names, std::move(layers));
}

std::unique_ptr<const DecoderLayer> pre_norm_layer(const LayerContext& at, std::unique_ptr<const Attention> attention,
                                                   std::unique_ptr<const FeedForward> feed_forward) {
  return std::make_unique<PreNormLayer>(at.norm("input_layernorm"), std::move(attention),
                                        at.norm("post_attention_layernorm"), std::move(feed_forward),
                                        at.config.residual_multiplier);
}

}  // namespace hearth
