#include "runtime/tokenizer/tokenizer_json.h"

#include "runtime/io/json_file.h"
#include "runtime/tokenizer/bpe.h"
#include "runtime/tokenizer/byte_fallback.h"
#include "runtime/tokenizer/byte_level.h"

namespace hearth {
namespace {

constexpr size_t kMaxFileBytes = size_t{256} << 20;  // the largest published one has 35 MB

std::unique_ptr<Vocabulary> read_vocabulary(const JsonField& vocab) {
  if (!vocab.value().is_object()) throw data_corruption("{}: must be an object", vocab.place());
  auto vocabulary = std::make_unique<Vocabulary>();
  size_t bytes = 0;
  for (const auto& [text, id] : vocab.value().items()) bytes += text.size();
  vocabulary->reserve(vocab.value().size(), bytes);
  for (const auto& [text, id] : vocab.value().items()) {
    if (!id.is_number_integer()) throw data_corruption("{}: the id of '{}' must be an integer", vocab.place(), text);
    try {
      vocabulary->set(id.get<int64_t>(), text);
    } catch (const Error& error) {
      throw data_corruption("{}: {}", vocab.place(), error.what());
    }
  }
  return vocabulary;
}

// Adds the tokens that the model's vocabulary lacks to it; one that it has keeps the model's id, as in the reference.
std::vector<AddedToken> read_added_tokens(const JsonField& section, Vocabulary& vocabulary) {
  std::vector<AddedToken> tokens;
  if (section.is_null()) return tokens;
  for (const JsonField& field : section.elements()) {
    AddedToken token{.content = field["content"].string(),
                     .id = 0,
                     .special = field.boolean("special", false),
                     .lstrip = field.boolean("lstrip", false),
                     .rstrip = field.boolean("rstrip", false),
                     .single_word = field.boolean("single_word", false),
                     .normalized = field.boolean("normalized", !field.boolean("special", false))};
    if (token.content.empty()) continue;
    if (!vocabulary.find(token.content)) {
      try {
        vocabulary.set(field["id"].integer(), token.content);
      } catch (const Error& error) {
        throw data_corruption("{}: {}", field.place(), error.what());
      }
    }
    token.id = *vocabulary.find(token.content);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

// The two tokens of a merge: "a b", or ["a", "b"] as newer files have it.
std::pair<std::string_view, std::string_view> merge_sides(const nlohmann::json& entry, const std::string& place,
                                                          size_t index) {
  if (entry.is_string()) {
    const std::string_view line = entry.get_ref<const std::string&>();
    const size_t space = line.find(' ');
    if (space != std::string_view::npos && line.find(' ', space + 1) == std::string_view::npos)
      return {line.substr(0, space), line.substr(space + 1)};
  } else if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
    return {entry[0].get_ref<const std::string&>(), entry[1].get_ref<const std::string&>()};
  }
  throw data_corruption("{}[{}]: must be two tokens", place, index);
}

std::vector<BpeMerge> read_merges(const JsonField& section, const Vocabulary& vocabulary) {
  if (!section.value().is_array()) throw data_corruption("{}: must be an array", section.place());
  std::vector<BpeMerge> merges;
  merges.reserve(section.value().size());
  std::string joined;
  for (const nlohmann::json& entry : section.value()) {
    const auto [left, right] = merge_sides(entry, section.place(), merges.size());
    joined.assign(left).append(right);
    const std::optional<TokenId> left_id = vocabulary.find(left), right_id = vocabulary.find(right),
                                 result = vocabulary.find(joined);
    if (!left_id || !right_id || !result) {
      throw data_corruption("{}[{}]: '{}' and '{}': names a token that is not in the vocabulary", section.place(),
                            merges.size(), left, right);
    }
    merges.push_back({*left_id, *right_id, *result, static_cast<uint32_t>(merges.size())});
  }
  return merges;
}

void check_model(const JsonField& model) {
  const std::string type = model.string("type", model.has("merges") ? "BPE" : "");
  if (type != "BPE") model.unsupported(fmt::format("the model type '{}'", type), "BPE");
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model.string(affix, "").empty()) model[affix].unsupported("a value", "null and \"\"");
  }
}

std::function<std::string(TokenId, std::string_view)> token_bytes_function(const DecoderSection& decoder) {
  if (decoder.rules.bytes == DecodeRules::Bytes::kByteLevel) {
    return [](TokenId, std::string_view text) { return byte_level::decode(text); };
  }
  return [decoder](TokenId, std::string_view text) {
    if (decoder.rules.bytes == DecodeRules::Bytes::kByteFallback) {
      if (const std::optional<uint8_t> byte = parse_byte_token(text)) return std::string(1, static_cast<char>(*byte));
    }
    std::string out(text);
    for (const auto& [pattern, content] : decoder.replacements) {
      for (size_t at = out.find(pattern); at != std::string::npos; at = out.find(pattern, at + content.size())) {
        out.replace(at, pattern.size(), content);
      }
    }
    return out;
  };
}

}  // namespace

PipelineParts read_tokenizer_json(const std::filesystem::path& file) {
  const nlohmann::json json = read_json_file(file, kMaxFileBytes);
  const JsonField root(json, file.string() + ": ");
  const JsonField model = root["model"];
  check_model(model);

  PipelineParts parts;
  parts.name = file.string();
  parts.vocabulary = read_vocabulary(model["vocab"]);
  const std::vector<BpeMerge> merges = read_merges(model["merges"], *parts.vocabulary);
  BpeOptions options{.byte_fallback = model.boolean("byte_fallback", false),
                     .ignore_merges = model.boolean("ignore_merges", false),
                     .fuse_unk = model.boolean("fuse_unk", false)};
  if (model.has("unk_token")) {
    options.unk = parts.vocabulary->find(model["unk_token"].string());
    if (!options.unk)
      throw data_corruption("{}: '{}' is not in the vocabulary", model["unk_token"].place(),
                            model["unk_token"].string());
  }
  parts.added_tokens = read_added_tokens(root["added_tokens"], *parts.vocabulary);
  std::vector<bool> is_control(static_cast<size_t>(parts.vocabulary->size()));
  for (const AddedToken& token : parts.added_tokens) is_control[static_cast<size_t>(token.id)] = token.special;

  parts.normalizer = read_normalizer(root["normalizer"]);
  PreTokenizerSection pre = read_pre_tokenizer(root["pre_tokenizer"]);
  parts.pre_tokenizer = std::move(pre.pre_tokenizer);
  options.byte_level = pre.byte_level;
  parts.model = std::make_unique<BpeModel>(*parts.vocabulary, merges, options, is_control);
  PostProcessorSection post = read_post_processor(root["post_processor"], *parts.vocabulary);
  parts.prefix = std::move(post.prefix);
  parts.suffix = std::move(post.suffix);
  const DecoderSection decoder = read_decoder(root["decoder"]);
  parts.decode_rules = decoder.rules;
  parts.token_bytes = token_bytes_function(decoder);
  return parts;
}

}  // namespace hearth
