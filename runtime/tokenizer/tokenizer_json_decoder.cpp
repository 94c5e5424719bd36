// The decoder section of tokenizer.json.
#include "runtime/tokenizer/json_steps.h"
#include "runtime/tokenizer/tokenizer_json.h"

namespace hearth {
namespace {

JsonPattern read_decoder_pattern(const JsonField& step) {
  JsonPattern pattern = read_pattern(step["pattern"]);
  if (pattern.text.empty()) throw data_corruption("{}: must not be empty", step["pattern"].place());
  return pattern;
}

StripRule read_strip_rule(const JsonField& step) {
  return {read_character(step["content"]), read_count(step["start"]), read_count(step["stop"])};
}

DecodeStepPtr read_replace(const JsonField& step) {
  const JsonPattern pattern = read_decoder_pattern(step);
  return make_replace_decoder(pattern.text, pattern.is_regex, step["content"].string());
}

DecodeStepPtr read_metaspace(const JsonField& step) {
  return make_metaspace_decoder(read_character(step["replacement"]),
                                read_prepend_scheme(step) != PrependScheme::kNever);
}

// Decoders that read tokens.
constexpr JsonMaker<DecodeStepPtr> kDecoders[] = {
    {"ByteLevel", [](const JsonField&) { return make_byte_level_decoder(); }},
    {"Replace", read_replace},
    {"ByteFallback", [](const JsonField&) { return make_byte_fallback_decoder(); }},
    {"Fuse", [](const JsonField&) { return DecodeStepPtr(); }},
    {"Strip", [](const JsonField& step) { return make_strip_decoder(read_strip_rule(step)); }},
    {"Metaspace", read_metaspace},
    {"WordPiece",
     [](const JsonField& step) {
       return make_wordpiece_decoder(step.string("prefix", "##"), step.boolean("cleanup", true));
     }},
    {"BPEDecoder", [](const JsonField& step) { return make_bpe_decoder(step.string("suffix", "</w>")); }},
    {"CTC",
     [](const JsonField& step) {
       return make_ctc_decoder(step.string("pad_token", "<pad>"), step.string("word_delimiter_token", "|"),
                               step.boolean("cleanup", true));
     }},
};

DecodeStepPtr read_fused_replace(const JsonField& step) {
  const JsonPattern pattern = read_decoder_pattern(step);
  if (pattern.is_regex) step["pattern"].unsupported("a Regex behind ByteLevel or Fuse", "String patterns");
  return make_fused_replace_decoder(pattern.text, step["content"].string());
}

// Decoders that read the one text that ByteLevel or Fuse made of all tokens.
constexpr JsonMaker<DecodeStepPtr> kFusedDecoders[] = {
    {"Replace", read_fused_replace},
    {"Fuse", [](const JsonField&) { return DecodeStepPtr(); }},
    {"Strip", [](const JsonField& step) { return make_fused_strip_decoder(read_strip_rule(step)); }},
};

}  // namespace

DecodeRules read_decoder(const JsonField& section) {
  DecodeRules out;
  if (section.is_null()) out.steps.push_back(make_space_join());
  bool fused = false;
  for (const JsonField& step : steps_of(section, "decoders")) {
    const std::string& type = step["type"].string();
    DecodeStepPtr made = fused ? make_by_type(kFusedDecoders, type, step, "decoder behind ByteLevel or Fuse,")
                               : make_by_type(kDecoders, type, step, "decoder");
    if (made) out.steps.push_back(std::move(made));
    fused |= type == "ByteLevel" || type == "Fuse";
  }
  return out;
}

}  // namespace hearth
