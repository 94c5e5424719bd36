#include "runtime/tokenizer/directory_config.h"

#include <algorithm>
#include <charconv>

#include "runtime/io/json_file.h"
#include "runtime/tokenizer/json_field.h"
#include "runtime/tokenizer/vocabulary.h"

namespace hearth {
namespace {

constexpr const char* kNamedTokens[] = {"bos_token", "eos_token", "unk_token", "pad_token",
                                        "sep_token", "cls_token", "mask_token"};

nlohmann::json read_optional(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return nlohmann::json::object();
  return read_json_file(file);
}

// A token is a string or an object with its content.
std::optional<std::string> token_content(const JsonField& field) {
  if (field.is_null()) return std::nullopt;
  return field.value().is_string() ? field.string() : field["content"].string();
}

TokenId checked_id(int64_t id, const std::string& place) {
  if (id < 0 || id >= Vocabulary::kMaxIds)
    throw data_corruption("{}: token id {} is outside [0, {})", place, id, Vocabulary::kMaxIds);
  return static_cast<TokenId>(id);
}

TokenId parse_id(const std::string& key, const std::string& place) {
  int64_t id = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc() || end != key.data() + key.size())
    throw data_corruption("{}: '{}' is not a token id", place, key);
  return checked_id(id, place);
}

// {"32000": {"content": ...}, ...}
void read_added_tokens_decoder(const JsonField& section, std::vector<AddedToken>& tokens) {
  if (section.is_null()) return;
  if (!section.value().is_object()) throw data_corruption("{}: must be an object", section.place());
  for (const auto& [key, value] : section.value().items()) {
    const JsonField field(value, section.place() + "." + key);
    const bool special = field.boolean("special", false);
    tokens.push_back({.content = field["content"].string(),
                      .id = parse_id(key, section.place()),
                      .special = special,
                      .lstrip = field.boolean("lstrip", false),
                      .rstrip = field.boolean("rstrip", false),
                      .single_word = field.boolean("single_word", false),
                      .normalized = field.boolean("normalized", !special)});
  }
}

// {"<pad>": 32000, ...}
void read_added_tokens_file(const JsonField& root, std::vector<AddedToken>& tokens) {
  if (!root.value().is_object()) throw data_corruption("{}must be an object", root.place());
  for (const auto& entry : root.value().items()) {
    const std::string& content = entry.key();
    const auto known = [&](const AddedToken& token) { return token.content == content; };
    if (std::any_of(tokens.begin(), tokens.end(), known)) continue;
    const JsonField field(entry.value(), root.place() + "'" + content + "'");
    tokens.push_back({.content = content, .id = checked_id(field.integer(), field.place()), .normalized = true});
  }
}

}  // namespace

DirectoryConfig::DirectoryConfig(const std::filesystem::path& directory) {
  const std::filesystem::path config_file = directory / "tokenizer_config.json",
                              map_file = directory / "special_tokens_map.json",
                              added_file = directory / "added_tokens.json";
  const nlohmann::json config_json = read_optional(config_file), map_json = read_optional(map_file),
                       added_json = read_optional(added_file);
  const JsonField config(config_json, config_file.string() + ": "), map(map_json, map_file.string() + ": ");

  tokenizer_class = config.string("tokenizer_class", "");
  if (tokenizer_class.ends_with("Fast")) tokenizer_class.resize(tokenizer_class.size() - 4);
  // A key that is there with null counts as false, as in transformers.
  if (config_json.contains("add_bos_token")) add_bos_token = config.boolean("add_bos_token", false);
  if (config_json.contains("add_eos_token")) add_eos_token = config.boolean("add_eos_token", false);
  legacy = config.boolean("legacy", false);
  add_prefix_space = config.boolean("add_prefix_space", true);

  read_added_tokens_decoder(config["added_tokens_decoder"], added_tokens);
  read_added_tokens_file(JsonField(added_json, added_file.string() + ": "), added_tokens);
  std::sort(added_tokens.begin(), added_tokens.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });

  for (const char* name : kNamedTokens) {
    std::optional<std::string> token = token_content(config[name]);
    if (!token) token = token_content(map[name]);
    if (!token) continue;
    special_tokens.push_back(*token);
    if (std::string_view(name) == "bos_token") bos_token = token;
    if (std::string_view(name) == "eos_token") eos_token = token;
    if (std::string_view(name) == "pad_token") pad_token = token;
  }
}

}  // namespace hearth
