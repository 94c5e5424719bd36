#include "finetune/export/write_small_files.h"

#include <algorithm>
#include <functional>
#include <string>

#include <nlohmann/json.hpp>

#include "models/small_files.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/json_file.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// The object in the file, {} where there is none, changed and written again.
void edit(const fs::path& file, const std::function<void(Json&)>& change) {
  Json object = Json::object();
  if (fs::exists(file)) {
    read_json_file(file);  // its errors
    object = Json::parse(read_file(file));
  }
  if (!object.is_object()) throw data_corruption("{}: is not a JSON object", file.string());
  change(object);
  write_file_atomic(file, object.dump(2) + "\n");
}

std::string_view torch_name(Format dtype) {
  if (dtype == Format::kF16) return "float16";
  return dtype == Format::kBF16 ? "bfloat16" : "float32";
}

// "dtype" is transformers 5's name, "torch_dtype" that of all before it, which 5 reads too.
void set_dtype(const fs::path& config, Format dtype) {
  edit(config, [&](Json& object) {
    object.erase("dtype");
    object["torch_dtype"] = torch_name(dtype);
  });
}

void add_stop_words(const ExportedChat& chat, Json& object) {
  if (chat.stop_words.empty()) return;
  Json& words = object["additional_special_tokens"];
  if (!words.is_array()) words = Json::array();
  const auto text = [](const Json& word) { return word.is_object() ? word.value("content", Json()) : word; };
  for (const std::string& word : chat.stop_words)
    if (std::none_of(words.begin(), words.end(), [&](const Json& one) { return text(one) == word; }))
      words.push_back(word);
}

void set_special_tokens(const LoadedModel& model, const ExportedChat& chat, Json& object) {
  if (chat.eos) object["eos_token"] = *chat.eos;
  const std::string eos = chat.eos                 ? *chat.eos
                          : model.tokenizer->eos() ? model.tokenizer->token_text(*model.tokenizer->eos())
                                                   : std::string();
  if (!model.tokenizer->pad() && !eos.empty()) object["pad_token"] = eos;
  add_stop_words(chat, object);
}

}  // namespace

void write_small_files(const fs::path& source, const LoadedModel& model, const ExportedChat& chat,
                       std::optional<Format> dtype, const fs::path& directory) {
  for (const std::string_view name : kSmallFiles)
    if (fs::exists(source / name)) fs::copy_file(source / name, directory / name);
  if (dtype) set_dtype(directory / "config.json", *dtype);
  if (!model.named_template) return;
  edit(directory / "tokenizer_config.json", [&](Json& object) {
    set_special_tokens(model, chat, object);
    object["padding_side"] = "left";
    if (chat.jinja) object["chat_template"] = *chat.jinja;
  });
  if (fs::exists(directory / "special_tokens_map.json"))
    edit(directory / "special_tokens_map.json", [&](Json& object) { set_special_tokens(model, chat, object); });
  // It would win over tokenizer_config.json.
  if (chat.jinja && fs::exists(directory / "chat_template.jinja"))
    write_file_atomic(directory / "chat_template.jinja", *chat.jinja);
  edit(directory / "generation_config.json", [&](Json& object) {
    if (!model.stop_token_ids.empty()) object["eos_token_id"] = model.stop_token_ids;
  });
}

}  // namespace hearth
