// Llama 2 and 3, SmolLM2, TinyLlama: pre-norm decoder with grouped-query attention, rope and a gated MLP (transformers'
// LlamaForCausalLM).
#pragma once

#include <memory>

#include "runtime/language_model.h"

namespace hearth {

class LayerLoader;
struct ModelConfig;

std::unique_ptr<const LanguageModel> make_llama(const ModelConfig& config, LayerLoader& load);

}  // namespace hearth
