#include "models/decoder.h"

namespace hearth {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens";

}  // namespace

Decoder::Decoder(const ModelConfig& config, LayerLoader& load, std::vector<std::unique_ptr<const DecoderLayer>> layers)
    : dims_(model_dims(config)),
      embedding_(load.table(kEmbedding, config.vocab_size, config.hidden_size)),
      layers_(std::move(layers)),
      norm_(load.rms_norm("model.norm", config.hidden_size, config.rms_norm_eps)),
      head_{(config.tie_word_embeddings ? load.tied(kEmbedding, embedding_)
                                        : load.linear("lm_head", config.vocab_size, config.hidden_size))
                .weight()} {}

Tensor Decoder::forward(const Batch& batch) const {
  Tensor x = ops::embedding(batch.token_ids, embedding_);  // [tokens, hidden_size]
  for (size_t i = 0; i < layers_.size(); ++i) x = layers_[i]->forward(x, batch, static_cast<int>(i));
  return norm_(x);
}

}  // namespace hearth
