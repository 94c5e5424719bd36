// The pre_tokenizer section of tokenizer.json.
#include "runtime/tokenizer/json_steps.h"
#include "runtime/tokenizer/tokenizer_json.h"

namespace hearth {
namespace {

using Made = std::unique_ptr<PreTokenizer>;

SplitBehavior read_behavior(const JsonField& field) {
  const std::string& name = field.string();
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  field.unsupported(fmt::format("'{}'", name), "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

Made read_split(const JsonField& step) {
  const JsonPattern pattern = read_pattern(step["pattern"]);
  return make_split(pattern.is_regex ? pattern.text : escape_regex(pattern.text), read_behavior(step["behavior"]),
                    step.boolean("invert", false));
}

Made read_punctuation(const JsonField& step) {
  return make_punctuation(step.has("behavior") ? read_behavior(step["behavior"]) : SplitBehavior::kIsolated);
}

Made read_metaspace(const JsonField& step) {
  return make_metaspace(read_character(step["replacement"]), read_prepend_scheme(step), step.boolean("split", true));
}

Made read_fixed_length(const JsonField& step) {
  const uint64_t length = step.has("length") ? read_count(step["length"]) : 5;
  if (length == 0) throw data_corruption("{}: must not be 0", step["length"].place());
  return make_fixed_length(length);
}

constexpr JsonMaker<Made> kPreTokenizers[] = {
    {"ByteLevel",
     [](const JsonField& step) {
       return make_byte_level(step.boolean("add_prefix_space", true), step.boolean("use_regex", true));
     }},
    {"Split", read_split},
    {"Digits", [](const JsonField& step) { return make_digits(step.boolean("individual_digits", false)); }},
    {"Metaspace", read_metaspace},
    {"Punctuation", read_punctuation},
    {"Whitespace", [](const JsonField&) { return make_whitespace(); }},
    {"WhitespaceSplit", [](const JsonField&) { return make_whitespace_split(); }},
    {"BertPreTokenizer", [](const JsonField&) { return make_bert_pre_tokenizer(); }},
    {"CharDelimiterSplit",
     [](const JsonField& step) { return make_char_delimiter_split(read_character(step["delimiter"])); }},
    {"FixedLength", read_fixed_length},
};

}  // namespace

PreTokenizerSection read_pre_tokenizer(const JsonField& section, bool model_reads_bytes) {
  PreTokenizerSection out;
  std::vector<Made> steps;
  const std::vector<JsonField> fields = steps_of(section, "pretokenizers");
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string& type = fields[i]["type"].string();
    steps.push_back(make_by_type(kPreTokenizers, type, fields[i], "pre-tokenizer"));
    if (type != "ByteLevel") continue;
    out.byte_level = model_reads_bytes && i + 1 == fields.size();
    if (!out.byte_level) steps.push_back(make_byte_level_map());
  }
  if (!steps.empty()) out.pre_tokenizer = make_sequence(std::move(steps));
  return out;
}

}  // namespace hearth
