// The normalizer section of tokenizer.json.
#include "runtime/tokenizer/base64.h"
#include "runtime/tokenizer/bert_normalizer.h"
#include "runtime/tokenizer/json_steps.h"
#include "runtime/tokenizer/precompiled_charsmap.h"
#include "runtime/tokenizer/tokenizer_json.h"

namespace hearth {
namespace {

using Made = std::unique_ptr<Normalizer>;

Made read_replace(const JsonField& step) {
  const JsonPattern pattern = read_pattern(step["pattern"]);
  return make_replace(pattern.text, pattern.is_regex, step["content"].string());
}

Made read_bert(const JsonField& step) {
  const bool lowercase = step.boolean("lowercase", true);
  return make_bert_normalizer({.clean_text = step.boolean("clean_text", true),
                               .handle_chinese_chars = step.boolean("handle_chinese_chars", true),
                               .strip_accents = step.boolean("strip_accents", lowercase),
                               .lowercase = lowercase});
}

Made read_precompiled(const JsonField& step) {
  const JsonField charsmap = step["precompiled_charsmap"];
  if (charsmap.is_null()) return nullptr;  // sentencepiece's identity
  const std::optional<std::string> blob = decode_base64(charsmap.string());
  if (!blob) throw data_corruption("{}: is not base64", charsmap.place());
  if (blob->empty()) return nullptr;
  try {
    return std::make_unique<PrecompiledCharsmap>(*blob);
  } catch (const Error& error) {
    throw data_corruption("{}: {}", charsmap.place(), error.what());
  }
}

constexpr JsonMaker<Made> kNormalizers[] = {
    {"NFC", [](const JsonField&) { return make_nfc(); }},
    {"NFD", [](const JsonField&) { return make_nfd(); }},
    {"NFKC", [](const JsonField&) { return make_nfkc(); }},
    {"NFKD", [](const JsonField&) { return make_nfkd(); }},
    {"Lowercase", [](const JsonField&) { return make_lowercase(); }},
    {"StripAccents", [](const JsonField&) { return make_strip_accents(); }},
    {"Strip",
     [](const JsonField& step) {
       return make_strip(step.boolean("strip_left", true), step.boolean("strip_right", true));
     }},
    {"Prepend", [](const JsonField& step) { return make_prepend(step["prepend"].string()); }},
    {"Replace", read_replace},
    {"BertNormalizer", read_bert},
    {"Precompiled", read_precompiled},
    {"Nmt", [](const JsonField&) { return make_nmt(); }},
    {"ByteLevel", [](const JsonField&) { return make_byte_level_normalizer(); }},
};

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const JsonField& section) {
  std::vector<Made> steps;
  for (const JsonField& step : steps_of(section, "normalizers")) {
    Made made = make_by_type(kNormalizers, step["type"].string(), step, "normalizer");
    if (made) steps.push_back(std::move(made));
  }
  if (steps.empty()) return nullptr;
  return make_normalizer_sequence(std::move(steps));
}

}  // namespace hearth
