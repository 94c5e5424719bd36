#include "runtime/tokenizer/gguf_pre.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/nearest_name.h"
#include "runtime/tokenizer/number_splits.h"

namespace hearth {
namespace {

using Made = std::unique_ptr<PreTokenizer>;
using Text = std::string_view;

template <class... Parts>
std::string join(const Parts&... parts) {
  std::string out;
  ((out += parts), ...);
  return out;
}

Made step(Text pattern) { return make_split(std::string(pattern), SplitBehavior::kIsolated, false); }
Made step(Made made) { return made; }
// Every step cuts the pieces of the one before; of a pattern, matches and gaps alike become pieces.
template <class... Step>
Made cut(Step&&... parts) {
  std::vector<Made> steps;
  (steps.push_back(step(std::forward<Step>(parts))), ...);
  return make_sequence(std::move(steps));
}

constexpr Text kDigit = R"(\p{N})", kUpToThree = R"(\p{N}{1,3})";
constexpr Text kSpaces = R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr Text kContractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
constexpr Text kMark = R"([^\r\n\p{L}\p{N}]?)";  // one that a word takes with it
constexpr Text kSymbols = R"( ?[^\s\p{L}\p{N}]+)";

// That of OpenAI's cl100k_base, from which Llama 3's and Qwen's come.
std::string cl100k_words(Text numbers) {
  return join(kContractions, "|", kMark, R"(\p{L}+|)", numbers, "|", kSymbols, R"([\r\n]*|)");
}
std::string cl100k(Text numbers) { return join(cl100k_words(numbers), kSpaces); }
std::string llama3() { return cl100k(kUpToThree); }
std::string qwen2() { return cl100k(kDigit); }

// A word ends before the capital that follows small letters: `capital` and `small` are classes of letters that may be
// so.
std::string cased(Text capital, Text small, Text ending) {
  return join(kMark, capital, "*", small, "+", ending, "|", kMark, capital, "+", small, "*", ending, "|");
}
// That of OpenAI's o200k_base.
std::string o200k(Text numbers, Text ending) {
  return join(cased(R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])", R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])", ending), numbers, "|",
              kSymbols, R"([\r\n/]*|)", kSpaces);
}
constexpr Text kPerhapsContraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
std::string gpt_4o() { return o200k(kUpToThree, kPerhapsContraction); }
std::string tekken() { return o200k(kDigit, ""); }

// o200k's with Han characters as words of their own.
std::string kimi_k2() {
  return join(R"(\p{Han}+|)",
              cased(R"([^\p{Ll}\p{N}\p{P}\p{S}\p{Z}\p{C}\p{Han}])",
                    R"([^\p{Lu}\p{Lt}\p{N}\p{P}\p{S}\p{Z}\p{C}\p{Han}])", kPerhapsContraction),
              kUpToThree, "|", kSymbols, R"([\r\n]*|)", kSpaces);
}

constexpr Text kPunctuation = R"([\p{P}$+<=>^`|~]+)";
constexpr Text kKanaAndHan = "[一-龥\u3040-ゟ゠-ヿ]+";
constexpr Text kDeepseekWords =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+)";
std::string deepseek_v3() { return join(kDeepseekWords, R"([\r\n]*|)", kSpaces); }
constexpr Text kHanAndHangul = "[一-龥\u0800-一가-\uD7FF]+";
// Letters with case, but for the mathematical ones. clang-format would cut the string elsewhere each time.
// clang-format off
constexpr Text kDeepseekLetters =
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-"
    "ᵷᵹ-"
    "ᶚḀ-"
    "ἕἘ-"
    "Ἕἠ-"
    "ὅὈ-"
    "Ὅὐ-"
    "ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕ"
    "ℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-"
    "Ｚａ-"
    "ｚ𐐀-"
    "𐑏𐒰-"
    "𐓓𐓘-"
    "𐓻𐲀-"
    "𐲲𐳀-"
    "𐳲𑢠-𑣟𞤀-𞥃]+";
// clang-format on
constexpr Text kDeepseekPunctuation = "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+";
// \s+$ in linear time: its pieces hold no line end but alone.
constexpr Text kFinalSpaces = R"((?<!\s)\s++$)";
constexpr Text kAfmoeScripts =
    "[一-鿿㐀-䶿豈-\uFAFF\u3040-ゟ゠-ヿ･-ﾟ⼀-\u2FDFเ-\u0E7F\u0E80-\u0EFFក-\u17FFက-႟ꩠ-ꩿꧠ-"
    "\uA9FF가-"
    "\uD7AFᄀ-"
    "ᇿ]"
    "+";
constexpr Text kYoutuScripts =
    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-\u303F︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u3040-ゟ゠-ヿ]+";
constexpr Text kBloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
constexpr Text kSeedCoder = R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|)";
constexpr Text kQwen35 = R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)";
constexpr Text kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
// A word may hold spaces. Possessive, so that a long one needs no stack; nothing behind it could use what it gives
// back.
constexpr Text kExaoneMoe =
    R"(|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*+(?: \p{L}\p{M}*+)*+)++|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr Text kJais2 =
    R"(\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|)"
    R"(\s{1,2}(?!\S)|\s{1})";

// Names, pre-tokenizer, flags. "default" is what converters wrote for tokenizers they did not know; transformers reads
// those as GPT-2's.
constexpr GgufPre kTable[] = {
    {"gpt-2 default phi-2 jais exaone4 trillion mellum a.x-4.0 jina-en jina-es jina-de jina-v1-en jina-v2-es "
     "jina-v2-de roberta-bpe jina-v2-code granite-docling",
     [] { return cut(kGpt2Regex); }},
    {"olmo mpt modern-bert", [] { return cut(kGpt2Regex); }, {.nfc = true}},
    {"minerva-7b", [] { return make_byte_level(/*add_prefix_space=*/true, /*use_regex=*/true); }},
    {"smollm starcoder refact codeshell exaone mellum2", [] { return cut(kDigit, kGpt2Regex); }},
    {"command-r", [] { return cut(kDigit, kGpt2Regex); }, {.nfc = true}},
    {"tiny_aya cohere2moe", [] { return cut(make_digit_groups(), gpt_4o()); }, {.nfc = true}},
    {"llama-bpe llama3 llama-v3 pixtral lfm2 jina-v5-nano",
     [] { return cut(llama3()); },
     {.ignore_merges = true, .add_bos = true}},
    {"smaug-bpe", [] { return cut(llama3()); }, {.add_bos = true}},
    {"dbrx glm4 chatglm-bpe midm-2.0", [] { return cut(llama3()); }},
    {"minicpm5", [] { return cut(kUpToThree, cl100k(R"(\p{N}+)")); }, {.ignore_merges = true}},
    {"jais-2", [] { return cut(join(cl100k_words(kUpToThree), R"(\s*[\r\n]+|)", kJais2)); }},
    {"qwen2 deepseek-r1-qwen megrez stablelm2 kormo f2llmv2", [] { return cut(qwen2()); }, {.nfc = true}},
    {"hunyuan", [] { return cut(qwen2()); }, {.ignore_merges = true, .nfc = true}},
    {"grok-2 solar-open", [] { return cut(qwen2()); }},
    {"qwen35", [] { return cut(join(kContractions, kQwen35, kSpaces)); }, {.nfc = true}},
    {"laguna", [] { return cut(R"([^\n]+|[\n]+)", qwen2()); }},
    {"ufakzeka", [] { return cut(qwen2().substr(kContractions.size() + 1)); }},
    {"bailingmoe bailingmoe2 llada-moe", [] { return cut(kBailing); }},
    {"seed-coder", [] { return cut(join(kContractions, kSeedCoder, kSpaces)); }},
    {"exaone-moe", [] { return cut(join(kContractions, kExaoneMoe)); }},
    {"gpt-4o gigachat kanana2 talkie minimax-m2", [] { return cut(gpt_4o()); }},
    {"llama4", [] { return cut(gpt_4o()); }, {.ignore_merges = true, .add_bos = true}},
    {"granite-embed-multi-97m", [] { return cut(gpt_4o()); }, {.ignore_merges = true}},
    {"youtu", [] { return cut(kYoutuScripts, o200k(kDigit, kPerhapsContraction)); }, {.ignore_merges = true}},
    {"tekken", [] { return cut(tekken()); }, {.ignore_merges = true, .add_bos = true}},
    {"falcon-h1", [] { return cut(kPunctuation, tekken()); }},
    {"kimi-k2", [] { return cut(kimi_k2()); }, {.ignore_merges = true}},
    {"falcon", [] { return cut(kPunctuation, kGpt2Regex, "[0-9][0-9][0-9]", make_byte_digits(false)); }},
    {"falcon3", [] { return cut(kPunctuation, kGpt2Regex, make_byte_digits(true)); }},
    {"deepseek-llm",
     [] { return cut("[\r\n]", kDeepseekLetters, kDeepseekPunctuation, kFinalSpaces, kHanAndHangul, kDigit); }},
    {"deepseek-coder", [] { return cut("[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kHanAndHangul, kDigit); }},
    {"deepseek-v3 hunyuan-dense joyai-llm hy_v4", [] { return cut(kUpToThree, kKanaAndHan, deepseek_v3()); }},
    {"spark2_5", [] { return cut(kUpToThree, kKanaAndHan, join(kDeepseekWords, R"(|[\r\n]|\s+(?!\S)|\s+)"), kDigit); }},
    {"afmoe", [] { return cut(make_number_groups(), kAfmoeScripts, deepseek_v3()); }},
    {"superbpe", [] { return make_number_groups(); }},
    {"bloom poro-chat gpt3-finnish", [] { return cut(kBloom); }},
    {"viking", [] { return cut(kBloom, kDigit); }},
    {"chameleon",
     [] {
       return cut("<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", R"(([\t\n]|    |  ))", kDigit,
                  R"([\p{P}!-/:-@\[-`{-~])", kGpt2Regex);
     },
     {.add_bos = true}},
    {"gemma4", [] { return Made(); }, {.add_bos = true, .metaspace = true}},
    {"sarvam-moe granite-embed-multi-311m", [] { return Made(); }, {.metaspace = true}},
};

}  // namespace

std::span<const GgufPre> gguf_pres() { return kTable; }

const GgufPre& gguf_pre(std::string_view name, std::string_view file) {
  std::vector<Text> known;
  for (const GgufPre& entry : kTable) {
    for (size_t at = 0; at < entry.names.size();) {
      const size_t end = std::min(entry.names.find(' ', at), entry.names.size());
      known.push_back(entry.names.substr(at, end - at));
      if (known.back() == name) return entry;
      at = end + 1;
    }
  }
  std::string hint = did_you_mean(name, known);
  if (hint.empty()) hint = fmt::format("; known are {}", fmt::join(known, ", "));
  throw invalid_argument("{}: tokenizer.ggml.pre is '{}', which is not known{}", file, name, hint);
}

}  // namespace hearth
