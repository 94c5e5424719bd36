// The sections of tokenizer.json that are lists of typed steps. Every type that is understood stands in one function of
// its section.
#include <algorithm>

#include "runtime/tokenizer/metaspace.h"
#include "runtime/tokenizer/tokenizer_json.h"

namespace hearth {
namespace {

// {"String": text} or {"Regex": pattern}.
struct Pattern {
  std::string text;
  bool is_regex;
};
Pattern read_pattern(const JsonField& field) {
  if (field.has("Regex")) return {field["Regex"].string(), true};
  return {field["String"].string(), false};
}

SplitBehavior read_behavior(const JsonField& field) {
  const std::string& name = field.string();
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  field.unsupported(fmt::format("'{}'", name), "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

PrependScheme read_prepend_scheme(const JsonField& metaspace) {
  const std::string name =
      metaspace.string("prepend_scheme", metaspace.boolean("add_prefix_space", true) ? "always" : "never");
  if (name == "always") return PrependScheme::kAlways;
  if (name == "first") return PrependScheme::kFirst;
  if (name == "never") return PrependScheme::kNever;
  metaspace["prepend_scheme"].unsupported(fmt::format("'{}'", name), "always, first, never");
}

// The steps of a section: those of a Sequence (nested ones flattened), or the section itself.
void flatten(const JsonField& section, const char* list, std::vector<JsonField>& steps) {
  if (section["type"].string() != "Sequence") {
    steps.push_back(section);
    return;
  }
  for (const JsonField& step : section[list].elements()) flatten(step, list, steps);
}
std::vector<JsonField> steps_of(const JsonField& section, const char* list) {
  std::vector<JsonField> steps;
  if (!section.is_null()) flatten(section, list, steps);
  return steps;
}

std::unique_ptr<Normalizer> read_normalizer_step(const JsonField& step) {
  const std::string& type = step["type"].string();
  if (type == "NFC") return make_nfc();
  if (type == "Prepend") return make_prepend(step["prepend"].string());
  if (type == "Replace") {
    const Pattern pattern = read_pattern(step["pattern"]);
    return make_replace(pattern.text, pattern.is_regex, step["content"].string());
  }
  step.unsupported(fmt::format("the normalizer '{}'", type), "NFC, Prepend, Replace, Sequence");
}

std::unique_ptr<PreTokenizer> read_pre_tokenizer_step(const JsonField& step) {
  const std::string& type = step["type"].string();
  if (type == "Split") {
    const Pattern pattern = read_pattern(step["pattern"]);
    return make_split(pattern.is_regex ? pattern.text : escape_regex(pattern.text), read_behavior(step["behavior"]),
                      step.boolean("invert", false));
  }
  if (type == "Digits") return make_digits(step.boolean("individual_digits", false));
  if (type == "ByteLevel")
    return make_byte_level(step.boolean("add_prefix_space", true), step.boolean("use_regex", true));
  if (type == "Metaspace")
    return make_metaspace(step["replacement"].string(), read_prepend_scheme(step), step.boolean("split", true));
  step.unsupported(fmt::format("the pre-tokenizer '{}'", type), "Split, Digits, ByteLevel, Metaspace, Sequence");
}

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const JsonField& section) {
  std::vector<std::unique_ptr<Normalizer>> steps;
  for (const JsonField& step : steps_of(section, "normalizers")) steps.push_back(read_normalizer_step(step));
  if (steps.empty()) return nullptr;
  return make_normalizer_sequence(std::move(steps));
}

PreTokenizerSection read_pre_tokenizer(const JsonField& section) {
  PreTokenizerSection out;
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  for (const JsonField& step : steps_of(section, "pretokenizers")) {
    if (out.byte_level) step.unsupported("a step behind ByteLevel", "lists that end with it");
    steps.push_back(read_pre_tokenizer_step(step));
    out.byte_level = step["type"].string() == "ByteLevel";
  }
  if (!steps.empty()) out.pre_tokenizer = make_sequence(std::move(steps));
  return out;
}

// In this order: Replace, any number; one of ByteLevel, ByteFallback, Metaspace; Fuse; Strip at the left. Published
// decoders keep to it.
DecoderSection read_decoder(const JsonField& section) {
  DecoderSection out;
  out.rules.bytes = DecodeRules::Bytes::kText;
  out.rules.space_between = section.is_null();
  bool has_bytes = false, fused = false;
  for (const JsonField& step : steps_of(section, "decoders")) {
    const std::string& type = step["type"].string();
    if (type == "Replace" && !has_bytes && !fused) {
      const Pattern pattern = read_pattern(step["pattern"]);
      if (pattern.is_regex) step["pattern"].unsupported("a Regex", "String patterns");
      if (pattern.text.empty()) throw data_corruption("{}: must not be empty", step["pattern"].place());
      out.replacements.emplace_back(pattern.text, step["content"].string());
    } else if (type == "ByteFallback" && !has_bytes && !fused) {
      out.rules.bytes = DecodeRules::Bytes::kByteFallback;
      has_bytes = true;
    } else if (type == "ByteLevel" && !has_bytes && !fused && out.replacements.empty()) {
      out.rules.bytes = DecodeRules::Bytes::kByteLevel;
      has_bytes = true;
    } else if (type == "Metaspace" && !has_bytes && !fused && out.replacements.empty()) {
      if (step["replacement"].string() != kMetaspace)
        step["replacement"].unsupported(fmt::format("'{}'", step["replacement"].string()), kMetaspace);
      out.replacements.emplace_back(kMetaspace, " ");
      out.rules.first_without_metaspace = read_prepend_scheme(step) != PrependScheme::kNever;
      has_bytes = true;
    } else if (type == "Fuse") {
      fused = true;
    } else if (type == "Strip" && fused && out.rules.strip_left == 0 && step["content"].string().size() == 1 &&
               step["stop"].integer() == 0) {
      out.rules.strip_left = static_cast<uint32_t>(std::clamp<int64_t>(step["start"].integer(), 0, UINT32_MAX));
      out.rules.strip_char = step["content"].string()[0];
    } else {
      step.unsupported(fmt::format("the decoder '{}' in this place", type),
                       "Replace (String), then ByteLevel, ByteFallback or Metaspace, then Fuse, then Strip of one "
                       "ASCII character at the left");
    }
  }
  return out;
}

PostProcessorSection read_post_processor(const JsonField& section, const Vocabulary& vocabulary) {
  PostProcessorSection out;
  for (const JsonField& step : steps_of(section, "processors")) {
    const std::string& type = step["type"].string();
    if (type == "ByteLevel") continue;  // trims offsets only
    if (type != "TemplateProcessing")
      step.unsupported(fmt::format("the post-processor '{}'", type), "TemplateProcessing, ByteLevel, Sequence");
    PostProcessorSection around;
    bool seen_text = false;
    for (const JsonField& item : step["single"].elements()) {
      if (item.has("Sequence")) {
        if (seen_text) item.unsupported("a second Sequence", "templates with one");
        seen_text = true;
        continue;
      }
      const std::string& name = item["SpecialToken"]["id"].string();
      for (const JsonField& id : step["special_tokens"][name.c_str()]["ids"].elements()) {
        if (!vocabulary.contains(id.integer()))
          throw data_corruption("{}: token id {} is not in the vocabulary", id.place(), id.integer());
        (seen_text ? around.suffix : around.prefix).push_back(static_cast<TokenId>(id.integer()));
      }
    }
    if (!seen_text) throw data_corruption("{}: has no Sequence", step["single"].place());
    out.prefix.insert(out.prefix.begin(), around.prefix.begin(), around.prefix.end());
    out.suffix.insert(out.suffix.end(), around.suffix.begin(), around.suffix.end());
  }
  return out;
}

}  // namespace hearth
