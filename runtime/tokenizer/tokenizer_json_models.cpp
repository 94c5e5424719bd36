// The model section of tokenizer.json: BPE, Unigram, WordPiece, WordLevel. What is read before the added tokens (the
// vocabulary and what refers to it) is told from what is made behind them (the model, which leaves out control tokens).
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

#include "runtime/tokenizer/bpe.h"
#include "runtime/tokenizer/tokenizer_json.h"
#include "runtime/tokenizer/unigram.h"
#include "runtime/tokenizer/wordlevel.h"
#include "runtime/tokenizer/wordpiece.h"

namespace hearth {
namespace {

void set_token(const JsonField& section, Vocabulary& vocabulary, int64_t id, std::string_view text) {
  try {
    vocabulary.set(id, text);
  } catch (const Error& error) {
    throw data_corruption("{}: {}", section.place(), error.what());
  }
}

// {"token": id, ...}
std::unique_ptr<Vocabulary> read_vocabulary(const JsonField& vocab) {
  if (!vocab.value().is_object()) throw data_corruption("{}: must be an object", vocab.place());
  auto vocabulary = std::make_unique<Vocabulary>();
  size_t bytes = 0;
  for (const auto& [text, id] : vocab.value().items()) bytes += text.size();
  vocabulary->reserve(vocab.value().size(), bytes);
  for (const auto& [text, id] : vocab.value().items()) {
    if (!id.is_number_integer()) throw data_corruption("{}: the id of '{}' must be an integer", vocab.place(), text);
    set_token(vocab, *vocabulary, id.get<int64_t>(), text);
  }
  return vocabulary;
}

std::optional<TokenId> read_unk_token(const JsonField& model, const Vocabulary& vocabulary) {
  if (model.string("unk_token", "").empty()) return std::nullopt;
  const std::optional<TokenId> id = vocabulary.find(model["unk_token"].string());
  if (!id)
    throw data_corruption("{}: '{}' is not in the vocabulary", model["unk_token"].place(), model["unk_token"].string());
  return id;
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

// `prefix` is what the tokens behind a word's first begin with; a merge leaves out that of its right side.
std::vector<BpeMerge> read_merges(const JsonField& section, const Vocabulary& vocabulary, std::string_view prefix) {
  if (!section.value().is_array()) throw data_corruption("{}: must be an array", section.place());
  std::vector<BpeMerge> merges;
  merges.reserve(section.value().size());
  std::string joined;
  for (const nlohmann::json& entry : section.value()) {
    const auto [left, right] = merge_sides(entry, section.place(), merges.size());
    joined.assign(left).append(right.substr(right.starts_with(prefix) ? prefix.size() : 0));
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

ModelSection read_bpe(const JsonField& model) {
  BpeSection section = read_bpe_section(model);
  ModelSection out;
  out.vocabulary = std::move(section.vocabulary);
  out.reads_bytes = section.options.continuing_prefix.empty() && section.options.end_of_word_suffix.empty();
  out.make = [merges = std::move(section.merges), options = std::move(section.options)](
                 const Vocabulary& vocabulary, const std::vector<bool>& is_control, bool byte_level) mutable {
    options.byte_level = byte_level;
    return std::make_unique<BpeModel>(vocabulary, merges, options, is_control);
  };
  return out;
}

// A number as serde_json reads it, which the reference does: its digits as an integer, times or over a power of ten.
// That can be the neighbour of the nearest double, which is enough to decide between two paths of equal score.
double as_serde_reads(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  uint64_t digits = 0;
  int exponent = 0;
  bool is_fraction = false;
  for (const char* at = text; at != end; ++at) {
    if (*at == 'e') {
      int written = 0;
      std::from_chars(at + (at[1] == '+' ? 2 : 1), end, written);
      exponent += written;
      break;
    }
    if (*at == '.') is_fraction = true;
    if (*at < '0' || *at > '9') continue;
    digits = digits * 10 + static_cast<uint64_t>(*at - '0');  // at most 17
    exponent -= is_fraction ? 1 : 0;
  }
  if (std::abs(exponent) > 308) return value;
  double power = 1;
  const std::string power_text = fmt::format("1e{}", std::abs(exponent));
  std::from_chars(power_text.data(), power_text.data() + power_text.size(), power);
  const double magnitude = exponent < 0 ? static_cast<double>(digits) / power : static_cast<double>(digits) * power;
  return std::signbit(value) ? -magnitude : magnitude;
}

// [["token", score], ...], by id.
ModelSection read_unigram(const JsonField& model) {
  ModelSection out;
  out.vocabulary = std::make_unique<Vocabulary>();
  const JsonField vocab = model["vocab"];
  if (!vocab.value().is_array()) throw data_corruption("{}: must be an array", vocab.place());
  std::vector<double> scores;
  scores.reserve(vocab.value().size());
  for (const nlohmann::json& entry : vocab.value()) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
      throw data_corruption("{}[{}]: must be a token and its score", vocab.place(), scores.size());
    set_token(vocab, *out.vocabulary, static_cast<int64_t>(scores.size()), entry[0].get_ref<const std::string&>());
    scores.push_back(as_serde_reads(entry[1].get<double>()));
  }
  UnigramOptions options{.byte_fallback = model.boolean("byte_fallback", false)};
  if (model.has("unk_id")) {
    const int64_t unk = model["unk_id"].integer();
    if (!out.vocabulary->contains(unk))
      throw data_corruption("{}: token id {} is not in the vocabulary", model["unk_id"].place(), unk);
    options.unk = static_cast<TokenId>(unk);
  }
  out.make = [scores = std::move(scores), options](const Vocabulary& vocabulary, const std::vector<bool>& is_control,
                                                   bool) {
    return std::make_unique<UnigramModel>(vocabulary, scores, options, is_control);
  };
  return out;
}

ModelSection read_wordpiece(const JsonField& model) {
  ModelSection out;
  out.vocabulary = read_vocabulary(model["vocab"]);
  WordPieceOptions options{.unk = read_unk_token(model, *out.vocabulary),
                           .continuing_prefix = model.string("continuing_subword_prefix", "##")};
  if (model.has("max_input_chars_per_word")) {
    const int64_t characters = model["max_input_chars_per_word"].integer();
    if (characters < 0) throw data_corruption("{}: is negative", model["max_input_chars_per_word"].place());
    options.max_characters = static_cast<size_t>(characters);
  }
  out.make = [options](const Vocabulary& vocabulary, const std::vector<bool>& is_control, bool) {
    return std::make_unique<WordPieceModel>(vocabulary, options, is_control);
  };
  return out;
}

ModelSection read_wordlevel(const JsonField& model) {
  ModelSection out;
  out.vocabulary = read_vocabulary(model["vocab"]);
  out.make = [unk = read_unk_token(model, *out.vocabulary)](const Vocabulary& vocabulary,
                                                            const std::vector<bool>& is_control, bool) {
    return std::make_unique<WordLevelModel>(vocabulary, unk, is_control);
  };
  return out;
}

constexpr JsonMaker<ModelSection> kModels[] = {
    {"BPE", read_bpe}, {"Unigram", read_unigram}, {"WordPiece", read_wordpiece}, {"WordLevel", read_wordlevel}};

}  // namespace

BpeSection read_bpe_section(const JsonField& model) {
  BpeSection out;
  out.vocabulary = read_vocabulary(model["vocab"]);
  out.options = {.byte_fallback = model.boolean("byte_fallback", false),
                 .ignore_merges = model.boolean("ignore_merges", false),
                 .fuse_unk = model.boolean("fuse_unk", false),
                 .unk = read_unk_token(model, *out.vocabulary),
                 .continuing_prefix = model.string("continuing_subword_prefix", ""),
                 .end_of_word_suffix = model.string("end_of_word_suffix", "")};
  out.merges = read_merges(model["merges"], *out.vocabulary, out.options.continuing_prefix);
  return out;
}

// Old files do not say; the library goes by what there is.
std::string_view model_type(const JsonField& model) {
  if (model.has("type")) return model["type"].string();
  if (model.has("merges")) return "BPE";
  if (model.has("max_input_chars_per_word")) return "WordPiece";
  return model["vocab"].value().is_array() ? "Unigram" : "WordLevel";
}

ModelSection read_model(const JsonField& section) {
  return make_by_type(kModels, model_type(section), section, "model type");
}

}  // namespace hearth
