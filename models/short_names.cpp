#include "models/short_names.h"

#include <algorithm>

namespace hearth {
namespace {

constexpr const char* kLlamaTerms = "Llama Community License";
constexpr const char* kGemmaTerms = "Gemma Terms of Use";
constexpr const char* kGatedLlama = "gated: accept the Llama licence on the hub, then set HF_TOKEN";
constexpr const char* kGatedGemma = "gated: accept the Gemma terms on the hub, then set HF_TOKEN";

// A plain size is a quantised GGUF file for serving; -fp16 and -bf16 are the publisher's safetensors, to fine-tune.
constexpr ShortName kShortNames[] = {
    {"gemma3:1b", "ggml-org/gemma-3-1b-it-GGUF:Q4_K_M", kGemmaTerms},
    {"gemma3:1b-it-bf16", "google/gemma-3-1b-it", kGatedGemma},
    {"gemma3:270m", "ggml-org/gemma-3-270m-it-GGUF:Q8_0", kGemmaTerms},
    {"gemma3:270m-it-bf16", "google/gemma-3-270m-it", kGatedGemma},
    {"llama3.1:8b", "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M", kLlamaTerms},
    {"llama3.2:1b", "bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M", kLlamaTerms},
    {"llama3.2:1b-instruct-fp16", "meta-llama/Llama-3.2-1B-Instruct", kGatedLlama},
    {"llama3.2:3b", "bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M", kLlamaTerms},
    {"llama3.2:3b-instruct-fp16", "meta-llama/Llama-3.2-3B-Instruct", kGatedLlama},
    {"mistral:7b", "bartowski/Mistral-7B-Instruct-v0.3-GGUF:Q4_K_M", ""},
    {"qwen2.5:0.5b", "Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M", ""},
    {"qwen2.5:0.5b-instruct-fp16", "Qwen/Qwen2.5-0.5B-Instruct", ""},
    {"qwen2.5:1.5b", "Qwen/Qwen2.5-1.5B-Instruct-GGUF:Q4_K_M", ""},
    {"qwen2.5:1.5b-instruct-fp16", "Qwen/Qwen2.5-1.5B-Instruct", ""},
    {"qwen3:0.6b", "Qwen/Qwen3-0.6B-GGUF:Q8_0", ""},
    {"qwen3:0.6b-fp16", "Qwen/Qwen3-0.6B", ""},
    {"qwen3:1.7b", "Qwen/Qwen3-1.7B-GGUF:Q8_0", ""},
    {"qwen3:1.7b-fp16", "Qwen/Qwen3-1.7B", ""},
    {"qwen3:4b", "Qwen/Qwen3-4B-GGUF:Q4_K_M", ""},
    {"qwen3:8b", "Qwen/Qwen3-8B-GGUF:Q4_K_M", ""},
    {"smollm2:1.7b", "bartowski/SmolLM2-1.7B-Instruct-GGUF:Q4_K_M", ""},
    {"smollm2:1.7b-instruct-fp16", "HuggingFaceTB/SmolLM2-1.7B-Instruct", ""},
    {"smollm2:135m", "bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M", ""},
    {"smollm2:135m-instruct-fp16", "HuggingFaceTB/SmolLM2-135M-Instruct", ""},
    {"smollm2:360m", "bartowski/SmolLM2-360M-Instruct-GGUF:Q4_K_M", ""},
    {"smollm2:360m-instruct-fp16", "HuggingFaceTB/SmolLM2-360M-Instruct", ""},
    {"tinyllama:1.1b", "TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF:Q4_K_M", ""},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::span<const ShortName> short_names() { return kShortNames; }

const ShortName* find_short_name(std::string_view name) {
  const auto same = [&](const ShortName& known) {
    const std::string_view text = known.name;
    return std::equal(text.begin(), text.end(), name.begin(), name.end(), [](char a, char b) { return a == lower(b); });
  };
  const auto found = std::find_if(std::begin(kShortNames), std::end(kShortNames), same);
  return found == std::end(kShortNames) ? nullptr : found;
}

}  // namespace hearth
