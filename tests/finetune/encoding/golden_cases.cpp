#include "tests/finetune/encoding/golden_cases.h"

#include <cstdlib>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/gguf.h"
#include "runtime/io/json_file.h"
#include "templates/llamafactory/tool_format.h"
#include "tests/support/temporary_directory.h"

namespace hearth::test {
namespace {

using Json = nlohmann::json;
using Role = SlotMessage::Role;

// The vocabulary of a GGUF file as tokenizer.json, so that it can be added to.
std::shared_ptr<const Tokenizer> written_tokenizer(const GgufFile& gguf, const std::vector<std::string>& more,
                                                   const std::string& pad) {
  const auto tokens = gguf.strings("tokenizer.ggml.tokens");
  const std::vector<int64_t> types = gguf.integers("tokenizer.ggml.token_type");
  constexpr int64_t kControl = 3;
  Json vocabulary = Json::object(), added = Json::array();
  const auto add = [&](size_t id, std::string_view content) {
    added.push_back({{"id", id},
                     {"content", content},
                     {"special", true},
                     {"normalized", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"single_word", false}});
  };
  for (size_t id = 0; id < tokens.size(); ++id) {
    vocabulary[std::string(tokens[id])] = id;
    if (types.at(id) == kControl) add(id, tokens[id]);
  }
  for (size_t i = 0; i < more.size(); ++i) add(tokens.size() + i, more[i]);
  Json json = Json::parse(R"({"version": "1.0", "normalizer": null, "post_processor": null,
    "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
      {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false, "byte_fallback": false}})");
  json["added_tokens"] = std::move(added);
  json["model"]["vocab"] = std::move(vocabulary);
  json["model"]["merges"] = gguf.strings("tokenizer.ggml.merges");
  const TemporaryDirectory directory;
  write_file_atomic(directory.path() / "tokenizer.json", json.dump());
  const auto named = [&](const char* key) { return std::string(tokens[static_cast<size_t>(*gguf.integer(key))]); };
  const Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"bos_token", named("tokenizer.ggml.bos_token_id")},
                       {"eos_token", named("tokenizer.ggml.eos_token_id")},
                       {"pad_token", pad.empty() ? named("tokenizer.ggml.padding_token_id") : pad}};
  write_file_atomic(directory.path() / "tokenizer_config.json", config.dump());
  return load_tokenizer(directory.path());
}

Role role_of(const std::string& name) {
  const std::map<std::string, Role> roles = {{"user", Role::kUser},
                                             {"human", Role::kUser},
                                             {"assistant", Role::kAssistant},
                                             {"gpt", Role::kAssistant},
                                             {"function", Role::kFunction},
                                             {"function_call", Role::kFunction},
                                             {"observation", Role::kObservation}};
  return roles.at(name);
}

std::string text_or_nothing(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found == row.end() || found->is_null() ? "" : found->get<std::string>();
}

Example alpaca_row(const Json& row) {
  Example example;
  std::string question = text_or_nothing(row, "instruction");
  const std::string input = text_or_nothing(row, "input");
  if (!question.empty() && !input.empty()) question += '\n';
  example.prompt.push_back({Role::kUser, question + input});
  example.response.push_back({Role::kAssistant, text_or_nothing(row, "output")});
  return example;
}

Example sharegpt_row(const Json& row) {
  Example example;
  const auto said = [](const Json& message) {
    return SlotMessage{role_of(message["from"]), message["value"].get<std::string>()};
  };
  for (const Json& message : row["conversations"]) {
    if (message["from"] == "system") {
      example.system = message["value"];
    } else {
      example.prompt.push_back(said(message));
    }
  }
  if (row.contains("chosen")) {
    example.response = {said(row["chosen"]), said(row["rejected"])};
  } else {
    example.response.push_back(example.prompt.back());
    example.prompt.pop_back();
  }
  example.tools = text_or_nothing(row, "tools");
  return example;
}

Example tagged_row(const Json& row) {
  Example example;
  for (const Json& message : row["messages"]) example.prompt.push_back({role_of(message["role"]), message["content"]});
  example.response.push_back(example.prompt.back());
  example.prompt.pop_back();
  return with_tag(std::move(example), row["label"]);
}

}  // namespace

Example with_tag(Example example, bool tag) {
  example.response.push_back({Role::kAssistant, ""});
  if (!tag) std::swap(example.response[0], example.response[1]);
  return example;
}

const Json& golden_encoding() {
  static const Json json = Json::parse(read_file("tests/golden/llamafactory/encoding.json"));
  return json;
}

std::shared_ptr<const Tokenizer> golden_tokenizer(const Json& golden_case) {
  static std::map<std::string, std::shared_ptr<const Tokenizer>> made;
  const char* path = std::getenv("HEARTH_DEFAULT_MODEL");
  if (!path) return nullptr;
  const bool extended = golden_case["tokenizer"] == "extended";
  const Json special = golden_case.value("special", Json());
  const std::string pad = special.is_object() ? special["pad_token"].get<std::string>() : "";
  std::shared_ptr<const Tokenizer>& tokenizer = made[(extended ? "extended " : "default ") + pad];
  if (tokenizer) return tokenizer;
  const auto gguf = GgufFile::open(path);
  if (!extended && pad.empty()) return tokenizer = load_tokenizer(*gguf);
  std::vector<std::string> more;
  if (extended) more = golden_encoding()["tokens"].get<std::vector<std::string>>();
  return tokenizer = written_tokenizer(*gguf, more, pad);
}

LoadedModel golden_model(const Json& golden_case, std::shared_ptr<const Tokenizer> tokenizer) {
  const Json& options = golden_case["options"];
  LoadedModel model;
  model.tokenizer = std::move(tokenizer);
  model.chat.template_name = golden_case["template"];
  SlotTemplateOptions& chat = model.chat.options;
  if (options.contains("default_system")) chat.default_system = options["default_system"].get<std::string>();
  if (options.contains("tool_format")) chat.tool_format = find_tool_format(options["tool_format"].get<std::string>());
  if (options.contains("enable_thinking")) {
    chat.enable_thinking = std::nullopt;
    if (!options["enable_thinking"].is_null()) chat.enable_thinking = options["enable_thinking"].get<bool>();
  }
  chat.preserve_thinking = options.value("preserve_thinking", false);
  model.named_template = std::make_shared<SlotTemplate>(SlotTemplate::named(model.chat.template_name, chat));
  return model;
}

DataSpec golden_data_spec(const Json& options) {
  DataSpec data;
  data.cutoff_len = options.value("cutoff_len", 2048);
  data.mask_history = options.value("mask_history", false);
  data.train_on_prompt = options.value("train_on_prompt", false);
  if (options.contains("packing")) data.packing = options["packing"].get<bool>();
  data.neat_packing = options.value("neat_packing", false);
  data.split_special_tokens = options.value("split_special_tokens", false);
  return data;
}

Example golden_example(const Json& standard) {
  Example example;
  const auto messages = [](const Json& list) {
    std::vector<SlotMessage> out;
    for (const Json& message : list) out.push_back({role_of(message["role"]), message["content"].get<std::string>()});
    return out;
  };
  example.prompt = messages(standard["_prompt"]);
  example.response = messages(standard["_response"]);
  example.system = standard["_system"];
  example.tools = standard["_tools"];
  return example;
}

std::vector<Example> read_rows(const std::string& dataset) {
  const std::filesystem::path directory = kDataDirectory;
  std::vector<Example> examples;
  if (dataset == "wiki_demo") {
    const std::string text = read_file(directory / "wiki_demo.txt");
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      if (end > at) examples.emplace_back().prompt = {{Role::kUser, text.substr(at, end - at)}};
      at = end + 1;
    }
    return examples;
  }
  const Json rows = Json::parse(read_file(directory / (dataset + ".json")));
  for (const Json& row : rows)
    examples.push_back(row.contains("conversations") ? sharegpt_row(row)
                       : row.contains("messages")    ? tagged_row(row)
                                                     : alpaca_row(row));
  return examples;
}

}  // namespace hearth::test
