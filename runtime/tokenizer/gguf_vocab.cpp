// Tokenizers from GGUF's tokenizer.ggml.* keys (docs/gguf.md of github.com/ggml-org/ggml): "gpt2" and "gemma4" are BPE
// with merges, "llama" is sentencepiece's BPE by scores, "t5" its Unigram, "bert" WordPiece. What a file leaves out is
// what llama.cpp takes. Malformed vocabularies are refused: counts that differ, text that is not UTF-8, merges of
// missing tokens, scores that are no numbers, ids out of range. Of two tokens with one text the later is encoded.
#include <algorithm>
#include <cmath>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/io/gguf.h"
#include "runtime/tokenizer/bert_normalizer.h"
#include "runtime/tokenizer/bpe.h"
#include "runtime/tokenizer/byte_fallback.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/gguf_pre.h"
#include "runtime/tokenizer/gguf_token_type.h"
#include "runtime/tokenizer/metaspace.h"
#include "runtime/tokenizer/pipeline_tokenizer.h"
#include "runtime/tokenizer/precompiled_charsmap.h"
#include "runtime/tokenizer/unigram.h"
#include "runtime/tokenizer/utf8.h"
#include "runtime/tokenizer/wordpiece.h"

namespace hearth {
namespace {

constexpr size_t kMaxPieceBytes = 1024;  // of a scored token; published vocabularies stay below 200

class Loader {
 public:
  explicit Loader(const GgufFile& gguf) : gguf_(gguf), tokens_(gguf.strings("tokenizer.ggml.tokens")) {}

  std::shared_ptr<const Tokenizer> load() {
    const std::string_view model = gguf_.string("tokenizer.ggml.model").value_or("");
    if (model == "gpt2" || model == "gemma4") {
      read_tokens();
      const GgufPre& pre = find_pre(model);
      read_merged_bpe(pre);
      add_bos_eos({.add_bos = pre.flags.add_bos});
    } else if (model == "llama") {
      read_tokens();
      read_scored_bpe();
      add_bos_eos({.add_bos = true, .bos = 1, .eos = 2});
    } else if (model == "t5") {
      read_tokens();
      read_unigram();
      add_bos_eos({.add_eos = true, .eos = 1});
    } else if (model == "bert") {
      read_tokens(wordpiece_spelling);
      read_wordpiece();
    } else {
      throw invalid_argument(
          "{}: tokenizer.ggml.model is '{}'; supported are 'gpt2', 'gemma4', 'llama', 't5' and 'bert'", gguf_.name(),
          model);
    }
    return std::make_shared<PipelineTokenizer>(std::move(parts_));
  }

 private:
  bool is(size_t id, GgufTokenType type) const { return types_[id] == type; }
  bool is_added(size_t id) const { return is(id, kControlToken) || is(id, kUnknownToken) || is(id, kUserDefinedToken); }

  // Control tokens stand as they are, and old files leave every [name] so.
  static std::string wordpiece_spelling(std::string_view token, int64_t type) {
    if (type == kControlToken || type == kUnknownToken || type == kUserDefinedToken) return std::string(token);
    if (token.size() > 2 && token.starts_with('[') && token.ends_with(']')) return std::string(token);
    if (token.size() > kMetaspace.size() && token.starts_with(kMetaspace))
      return std::string(token.substr(kMetaspace.size()));  // begins a word
    return fmt::format("{}{}", WordPieceOptions().continuing_prefix, token);
  }

  void read_tokens(std::string (*spelling)(std::string_view token, int64_t type) = nullptr) {
    if (tokens_.empty()) throw data_corruption("{}: tokenizer.ggml.tokens is missing or empty", gguf_.name());
    types_ = gguf_.integers("tokenizer.ggml.token_type");
    if (types_.empty()) types_.assign(tokens_.size(), kNormalToken);
    require_count("tokenizer.ggml.token_type", types_.size());
    parts_.name = gguf_.name();
    parts_.vocabulary = std::make_unique<Vocabulary>();
    size_t bytes = 0;
    for (const std::string_view token : tokens_) bytes += token.size();
    parts_.vocabulary->reserve(tokens_.size(), bytes);
    is_control_.resize(tokens_.size());
    try {
      for (size_t id = 0; id < tokens_.size(); ++id) {
        if (spelling == nullptr) {
          parts_.vocabulary->set(static_cast<int64_t>(id), tokens_[id]);
        } else {
          parts_.vocabulary->set(static_cast<int64_t>(id), spelling(tokens_[id], types_[id]));
        }
      }
    } catch (const Error& error) {
      throw data_corruption("{}: tokenizer.ggml.tokens: {}", gguf_.name(), error.what());
    }
    for (size_t id = 0; id < tokens_.size(); ++id) {
      is_control_[id] = is(id, kControlToken) || is(id, kUnknownToken);
      if (!is_added(id)) continue;
      parts_.added_tokens.push_back(
          {.content = std::string(tokens_[id]), .id = static_cast<TokenId>(id), .special = is_control_[id]});
    }
  }

  void require_count(std::string_view key, size_t count) const {
    if (count == tokens_.size()) return;
    throw data_corruption("{}: {} has {} entries for {} tokens", gguf_.name(), key, count, tokens_.size());
  }

  const GgufPre& find_pre(std::string_view model) const {
    if (model == "gemma4") return gguf_pre(model, gguf_.name());
    const std::optional<std::string_view> name = gguf_.string("tokenizer.ggml.pre");
    if (!name) log::warn("{}: tokenizer.ggml.pre is missing; text is cut as GPT-2 does", gguf_.name());
    return gguf_pre(name.value_or("default"), gguf_.name());
  }

  void read_merged_bpe(const GgufPre& pre) {
    parts_.pre_tokenizer = pre.make();
    if (pre.flags.nfc) parts_.normalizer = make_nfc();
    if (pre.flags.metaspace)
      return read_metaspace_bpe(make_replace(" ", false, std::string(kMetaspace)), read_merges(),
                                /*strip_space=*/false);
    parts_.model = std::make_unique<BpeModel>(*parts_.vocabulary, read_merges(),
                                              BpeOptions{.byte_level = true, .ignore_merges = pre.flags.ignore_merges},
                                              is_control_);
    parts_.decode_rules.steps = {make_byte_level_decoder()};
    for (const AddedToken& token : parts_.added_tokens)  // they are text, not bytes
      parts_.decoder_texts.emplace(token.id, byte_level::encode(token.content));
  }

  std::vector<BpeMerge> read_merges() const {
    const std::span<const std::string_view> lines = gguf_.strings("tokenizer.ggml.merges");
    if (lines.empty()) throw data_corruption("{}: tokenizer.ggml.merges is missing or empty", gguf_.name());
    std::vector<BpeMerge> merges;
    merges.reserve(lines.size());
    std::string joined;
    for (const std::string_view line : lines) {
      const size_t space = line.find(' ', 1);
      const auto fail = [&](std::string_view what) {
        return data_corruption("{}: tokenizer.ggml.merges: entry {}, '{}', {}", gguf_.name(), merges.size(), line,
                               what);
      };
      if (space == std::string_view::npos || space + 1 == line.size()) throw fail("is not two tokens");
      const std::string_view left = line.substr(0, space), right = line.substr(space + 1);
      joined.assign(left).append(right);
      const std::optional<TokenId> left_id = parts_.vocabulary->find(left), right_id = parts_.vocabulary->find(right);
      const std::optional<TokenId> result = parts_.vocabulary->find(joined);
      if (!left_id || !right_id || !result) throw fail("names a token that is not in the vocabulary");
      merges.push_back({*left_id, *right_id, *result, static_cast<uint32_t>(merges.size())});
    }
    return merges;
  }

  bool space_prefix() const { return gguf_.boolean("tokenizer.ggml.add_space_prefix").value_or(true); }
  bool remove_extra_whitespaces() const {
    return gguf_.boolean("tokenizer.ggml.remove_extra_whitespaces").value_or(false);
  }

  void read_scored_bpe() {
    std::vector<std::unique_ptr<Normalizer>> steps;
    if (remove_extra_whitespaces()) {
      steps.push_back(make_replace(R"(\A +|(?<! ) ++\z)", /*is_regex=*/true, ""));
      steps.push_back(make_replace(" {2,}", /*is_regex=*/true, " "));
    }
    if (space_prefix()) steps.push_back(make_prepend(std::string(kMetaspace)));
    steps.push_back(make_replace(" ", /*is_regex=*/false, std::string(kMetaspace)));
    read_metaspace_bpe(make_normalizer_sequence(std::move(steps)), merges_by_score(), /*strip_space=*/space_prefix());
  }

  // As the `tokenizers` library has it: the compiled rules first, then words that begin with U+2581.
  void read_unigram() {
    std::vector<std::unique_ptr<Normalizer>> steps;
    const std::vector<int64_t> charsmap = gguf_.integers("tokenizer.ggml.precompiled_charsmap");
    if (!charsmap.empty()) {
      std::string blob;
      blob.reserve(charsmap.size());
      for (const int64_t byte : charsmap) blob += static_cast<char>(byte);
      try {
        steps.push_back(std::make_unique<PrecompiledCharsmap>(blob));
      } catch (const Error& error) {
        throw data_corruption("{}: tokenizer.ggml.precompiled_charsmap: {}", gguf_.name(), error.what());
      }
    }
    if (remove_extra_whitespaces()) {
      steps.push_back(make_strip(/*left=*/false, /*right=*/true));
      steps.push_back(make_replace(" {2,}", /*is_regex=*/true, " "));
    }
    if (!steps.empty()) parts_.normalizer = make_normalizer_sequence(std::move(steps));
    parts_.pre_tokenizer = make_metaspace(
        std::string(kMetaspace), space_prefix() ? PrependScheme::kAlways : PrependScheme::kNever, /*split=*/true);
    const std::vector<float> scores = read_scores();
    const bool has_bytes = std::find(types_.begin(), types_.end(), kByteToken) != types_.end();
    parts_.model = std::make_unique<UnigramModel>(
        *parts_.vocabulary, std::vector<double>(scores.begin(), scores.end()),
        UnigramOptions{.unk = given_id("tokenizer.ggml.unknown_token_id", 2), .byte_fallback = has_bytes}, is_control_);
    parts_.decode_rules = decode_sentencepiece(/*strip_space=*/space_prefix());
  }

  void read_wordpiece() {
    const bool lowercase = gguf_.boolean("tokenizer.ggml.normalizer.lowercase").value_or(true);
    parts_.normalizer = make_bert_normalizer(
        {.strip_accents = gguf_.boolean("tokenizer.ggml.normalizer.strip_accents").value_or(lowercase),
         .lowercase = lowercase});
    parts_.pre_tokenizer = make_bert_pre_tokenizer();
    const WordPieceOptions options{.unk = given_id("tokenizer.ggml.unknown_token_id", 100)};
    parts_.model = std::make_unique<WordPieceModel>(*parts_.vocabulary, options, is_control_);
    parts_.decode_rules.steps = {make_wordpiece_decoder(options.continuing_prefix, /*cleanup=*/true)};
    parts_.bos = given_id("tokenizer.ggml.bos_token_id", 101);
    if (parts_.bos) parts_.prefix = {*parts_.bos};
    parts_.eos = given_id("tokenizer.ggml.seperator_token_id", 102);  // the key is spelled so
    if (parts_.eos) parts_.suffix = {*parts_.eos};
  }

  // Symbols are characters, a space is U+2581, and what has no token is spelled in <0xNN>.
  void read_metaspace_bpe(std::unique_ptr<Normalizer> normalizer, const std::vector<BpeMerge>& merges,
                          bool strip_space) {
    parts_.normalizer = std::move(normalizer);
    const auto unknown = std::find(types_.begin(), types_.end(), kUnknownToken);
    BpeOptions options{.byte_fallback = true, .fuse_unk = true};
    if (unknown != types_.end()) options.unk = static_cast<TokenId>(unknown - types_.begin());
    parts_.model = std::make_unique<BpeModel>(*parts_.vocabulary, merges, options, is_control_);
    parts_.decode_rules = decode_sentencepiece(strip_space);
  }

  std::vector<float> read_scores() const {
    std::vector<float> scores = gguf_.numbers("tokenizer.ggml.scores");
    require_count("tokenizer.ggml.scores", scores.size());
    for (size_t id = 0; id < scores.size(); ++id) {
      if (!std::isfinite(scores[id]))
        throw data_corruption("{}: tokenizer.ggml.scores: entry {} is not a finite number", gguf_.name(), id);
    }
    return scores;
  }

  // sentencepiece merges the neighbours whose union is the token of highest score, so each token gives a merge for
  // every way to cut it in two tokens.
  std::vector<BpeMerge> merges_by_score() const {
    const std::vector<float> scores = read_scores();
    std::vector<float> ranked = scores;
    std::sort(ranked.begin(), ranked.end(), std::greater<>());
    std::vector<BpeMerge> merges;
    for (size_t id = 0; id < tokens_.size(); ++id) {
      const std::string_view text = tokens_[id];
      if (!is(id, kNormalToken)) continue;
      if (text.size() > kMaxPieceBytes) {
        throw data_corruption("{}: tokenizer.ggml.tokens: token {} has {} bytes, at most {} are supported",
                              gguf_.name(), id, text.size(), kMaxPieceBytes);
      }
      const auto rank = static_cast<uint32_t>(
          std::lower_bound(ranked.begin(), ranked.end(), scores[id], std::greater<>()) - ranked.begin());
      for (size_t cut = 0; cut < text.size();) {
        cut += utf8::length_from_lead(static_cast<unsigned char>(text[cut]));
        if (cut == text.size()) break;
        const std::optional<TokenId> left = parts_.vocabulary->find(text.substr(0, cut)),
                                     right = parts_.vocabulary->find(text.substr(cut));
        if (left && right && is_text(*left) && is_text(*right))
          merges.push_back({*left, *right, static_cast<TokenId>(id), rank});
      }
    }
    return merges;
  }
  bool is_text(TokenId id) const { return is(static_cast<size_t>(id), kNormalToken); }

  std::optional<TokenId> special_id(std::string_view key) const {
    const std::optional<int64_t> id = gguf_.integer(key);
    if (!id) return std::nullopt;
    if (!parts_.vocabulary->contains(*id))
      throw data_corruption("{}: {} is {}, the vocabulary has {} tokens", gguf_.name(), key, *id, tokens_.size());
    return static_cast<TokenId>(*id);
  }

  std::optional<TokenId> given_id(std::string_view key, int64_t otherwise) const {
    const std::optional<TokenId> given = special_id(key);
    if (given || !parts_.vocabulary->contains(otherwise)) return given;
    return static_cast<TokenId>(otherwise);
  }

  // What holds where the file says nothing.
  struct Defaults {
    bool add_bos = false, add_eos = false;
    int64_t bos = -1, eos = -1;
  };

  void add_bos_eos(const Defaults& defaults) {
    parts_.bos = given_id("tokenizer.ggml.bos_token_id", defaults.bos);
    parts_.eos = given_id("tokenizer.ggml.eos_token_id", defaults.eos);
    parts_.pad = special_id("tokenizer.ggml.padding_token_id");
    if (parts_.bos && gguf_.boolean("tokenizer.ggml.add_bos_token").value_or(defaults.add_bos))
      parts_.prefix = {*parts_.bos};
    if (parts_.eos && gguf_.boolean("tokenizer.ggml.add_eos_token").value_or(defaults.add_eos))
      parts_.suffix = {*parts_.eos};
  }

  const GgufFile& gguf_;
  std::span<const std::string_view> tokens_;
  std::vector<int64_t> types_;
  std::vector<bool> is_control_;
  PipelineParts parts_;
};

}  // namespace

std::shared_ptr<const Tokenizer> load_tokenizer(const GgufFile& gguf) { return Loader(gguf).load(); }

}  // namespace hearth
