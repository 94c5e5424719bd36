// What tokenised data depends on, as texts (declared in tokenized_data.h). The hash tells mistakes apart, not attacks.
#include <string>

#include <fmt/format.h>

#include "finetune/encoding/tokenized_data.h"
#include "models/vision/picture_reader.h"
#include "runtime/base/hash.h"
#include "templates/llamafactory/tool_format.h"

namespace hearth {
namespace {

// The vocabulary, and what it makes of a text with words, digits, spaces and scripts: merges and rules show there.
std::string hash_of(const Tokenizer& tokenizer) {
  Hash hash;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id)
    if (tokenizer.has_token(id)) hash.add(tokenizer.token_text(id)).add(tokenizer.is_special(id) ? "control" : "text");
  for (const TokenId id : tokenizer.encode("The quick  brown fox's 1234567 jumps,\n\n\tnaïve Привет 你好 こんにちは 😀!",
                                           {.add_special = true}))
    hash.add(std::to_string(id));
  for (const auto& id : {tokenizer.bos(), tokenizer.eos(), tokenizer.pad()}) hash.add(id ? std::to_string(*id) : "");
  return hash.text();
}

std::string text(bool value) { return value ? "true" : "false"; }
std::string text(std::optional<bool> value) { return value ? text(*value) : "null"; }

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
  return out;
}

}  // namespace

MadeWith made_with(const LoadedModel& model, const TrainSpec& spec) {
  const DataSpec& data = spec.data;
  const SlotTemplateOptions& options = model.chat.options;
  std::string chat = model.chat.template_name;
  if (chat.empty()) chat = model.chat_template ? "own " + Hash().add(model.chat_template->source()).text() : "none";
  MadeWith out = {
      {"tokenizer", hash_of(*model.tokenizer)},
      {"template", chat},
      {"default_system", options.default_system.value_or("")},
      {"tool_format", options.tool_format ? std::string(tool_format_name(*options.tool_format)) : ""},
      {"enable_thinking", text(options.enable_thinking)},
      {"preserve_thinking", text(options.preserve_thinking)},
      {"stage", std::to_string(static_cast<int>(spec.stage))},
      {"cutoff_len", std::to_string(data.cutoff_len)},
      {"train_on_prompt", text(data.train_on_prompt)},
      {"mask_history", text(data.mask_history)},
      {"packing", text(data.packing)},
      {"neat_packing", text(data.neat_packing)},
      {"split_special_tokens", text(data.split_special_tokens)},
  };
  if (model.pictures)
    out.insert(out.end(), {{"pictures", model.pictures->config().family},
                           {"image_max_pixels", std::to_string(data.pixel_limits.most)},
                           {"image_min_pixels", std::to_string(data.pixel_limits.least)}});
  if (data.dataset.empty()) return out;
  out.insert(out.end(), {{"dataset", joined(data.dataset)},
                         {"eval_dataset", joined(data.eval_dataset)},
                         {"max_samples", data.max_samples ? std::to_string(*data.max_samples) : ""},
                         {"val_size", fmt::format("{}", data.val_size)}});
  return out;
}

}  // namespace hearth
