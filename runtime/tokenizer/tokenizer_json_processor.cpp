// The post_processor section of tokenizer.json, reduced to the tokens it puts around one text; what it says of pairs
// and offsets has no use here.
#include <algorithm>
#include <iterator>

#include "runtime/tokenizer/json_steps.h"
#include "runtime/tokenizer/tokenizer_json.h"

namespace hearth {
namespace {

TokenId read_id(const JsonField& field, const Vocabulary& vocabulary) {
  if (!vocabulary.contains(field.integer()))
    throw data_corruption("{}: token id {} is not in the vocabulary", field.place(), field.integer());
  return static_cast<TokenId>(field.integer());
}

PostProcessorSection read_template(const JsonField& step, const Vocabulary& vocabulary) {
  PostProcessorSection out;
  bool seen_text = false;
  for (const JsonField& item : step["single"].elements()) {
    if (item.has("Sequence")) {
      if (seen_text) item.unsupported("a second Sequence", "templates with one");
      seen_text = true;
      continue;
    }
    const std::string& name = item["SpecialToken"]["id"].string();
    for (const JsonField& id : step["special_tokens"][name.c_str()]["ids"].elements())
      (seen_text ? out.suffix : out.prefix).push_back(read_id(id, vocabulary));
  }
  if (!seen_text) throw data_corruption("{}: has no Sequence", step["single"].place());
  return out;
}

// "cls": ["[CLS]", 101], "sep": ["[SEP]", 102]
PostProcessorSection read_cls_sep(const JsonField& step, const Vocabulary& vocabulary) {
  const auto id = [&](const char* name) {
    const std::vector<JsonField> pair = step[name].elements();
    if (pair.size() != 2) throw data_corruption("{}: must be a token and its id", step[name].place());
    return read_id(pair[1], vocabulary);
  };
  return {.prefix = {id("cls")}, .suffix = {id("sep")}};
}

PostProcessorSection read_nothing(const JsonField&, const Vocabulary&) { return {}; }

constexpr struct {
  std::string_view type;
  PostProcessorSection (*read)(const JsonField& step, const Vocabulary& vocabulary);
} kProcessors[] = {{"TemplateProcessing", read_template},
                   {"BertProcessing", read_cls_sep},
                   {"RobertaProcessing", read_cls_sep},
                   {"ByteLevel", read_nothing}};  // trims offsets only

}  // namespace

PostProcessorSection read_post_processor(const JsonField& section, const Vocabulary& vocabulary) {
  PostProcessorSection out;
  for (const JsonField& step : steps_of(section, "processors")) {
    const std::string& type = step["type"].string();
    std::string names;
    const auto* const known = std::find_if(std::begin(kProcessors), std::end(kProcessors), [&](const auto& entry) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", entry.type);
      return entry.type == type;
    });
    if (known == std::end(kProcessors)) step.unsupported(fmt::format("the post-processor '{}'", type), names);
    PostProcessorSection around = known->read(step, vocabulary);
    out.prefix.insert(out.prefix.begin(), around.prefix.begin(), around.prefix.end());
    out.suffix.insert(out.suffix.end(), around.suffix.begin(), around.suffix.end());
  }
  return out;
}

}  // namespace hearth
