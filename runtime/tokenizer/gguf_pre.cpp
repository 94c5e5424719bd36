#include "runtime/tokenizer/gguf_pre.h"

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/tokenizer/pretokenizer.h"

namespace hearth {
namespace {

using Names = const std::string_view[];
using Patterns = const char* const[];

constexpr const char* kLlama3Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kO200kRegex =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kTekkenRegex = R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
                                     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
                                     R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kDeepseekV3Regex =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr Patterns kGpt2 = {kGpt2Regex};
constexpr Patterns kDigitsGpt2 = {R"(\p{N})", kGpt2Regex};
constexpr Patterns kLlama3 = {kLlama3Regex};
constexpr Patterns kQwen2 = {kQwen2Regex};
constexpr Patterns kO200k = {kO200kRegex};
constexpr Patterns kTekken = {kTekkenRegex};
constexpr Patterns kFalcon = {R"([\p{P}$+<=>^`|~]+)", kGpt2Regex, "[0-9][0-9][0-9]"};
constexpr Patterns kDeepseekV3 = {R"(\p{N}{1,3})", R"([一-龥぀-ゟ゠-ヿ]+)", kDeepseekV3Regex};

// "default" is what converters wrote for tokenizers they did not know; transformers reads those as GPT-2's.
constexpr Names kGpt2Names = {"gpt-2",       "default", "phi-2",   "olmo",   "mpt",
                              "roberta-bpe", "jina-en", "jina-es", "jina-de"};
constexpr Names kSmollmNames = {"smollm", "starcoder", "refact", "exaone"};
constexpr Names kCommandNames = {"command-r"};
constexpr Names kLlama3Names = {"llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"};
constexpr Names kPlainLlama3Names = {"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"};
constexpr Names kQwen2Names = {"qwen2", "deepseek-r1-qwen", "megrez"};
constexpr Names kO200kNames = {"gpt-4o", "llama4"};
constexpr Names kTekkenNames = {"tekken"};
constexpr Names kFalconNames = {"falcon"};
constexpr Names kDeepseekV3Names = {"deepseek-v3"};

constexpr GgufPre kTable[] = {
    {.names = kGpt2Names, .patterns = kGpt2},
    {.names = kSmollmNames, .patterns = kDigitsGpt2},
    {.names = kCommandNames, .patterns = kDigitsGpt2, .nfc = true},
    {.names = kLlama3Names, .patterns = kLlama3, .ignore_merges = true, .add_bos = true},
    {.names = kPlainLlama3Names, .patterns = kLlama3},
    {.names = kQwen2Names, .patterns = kQwen2, .nfc = true},
    {.names = kO200kNames, .patterns = kO200k},
    {.names = kTekkenNames, .patterns = kTekken, .ignore_merges = true, .add_bos = true},
    {.names = kFalconNames, .patterns = kFalcon},
    {.names = kDeepseekV3Names, .patterns = kDeepseekV3},
};

}  // namespace

const GgufPre& gguf_pre(std::string_view name, std::string_view file) {
  std::string known;
  for (const GgufPre& entry : kTable) {
    if (std::find(entry.names.begin(), entry.names.end(), name) != entry.names.end()) return entry;
    for (const std::string_view other : entry.names) known += fmt::format("{}{}", known.empty() ? "" : ", ", other);
  }
  throw invalid_argument("{}: tokenizer.ggml.pre is '{}', which is not known; known are {}", file, name, known);
}

}  // namespace hearth
