#include "runtime/tokenizer/gguf_vocab_writer.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/gguf.h"
#include "runtime/io/json_file.h"
#include "runtime/io/untrusted.h"
#include "runtime/tokenizer/byte_fallback.h"
#include "runtime/tokenizer/find_gguf_pre.h"
#include "runtime/tokenizer/gguf_token_type.h"
#include "runtime/tokenizer/json_steps.h"
#include "runtime/tokenizer/metaspace.h"
#include "runtime/tokenizer/sentencepiece_model.h"
#include "runtime/tokenizer/tokenizer_json.h"

namespace hearth {
namespace {

// What both kinds of files have in common.
class VocabularyWriter {
 protected:
  VocabularyWriter(const std::filesystem::path& file, int64_t vocab_size)
      : file_(file.string()), vocab_size_(vocab_size) {}

  [[noreturn]] void refuse(std::string_view what) const {
    throw invalid_argument(
        "{}: {} cannot be written to GGUF; hearth writes byte-level BPE that cuts text as llama.cpp knows it, and "
        "sentencepiece's BPE; export it with export_format: safetensors",
        file_, what);
  }
  static std::string key(std::string_view name) { return fmt::format("tokenizer.ggml.{}", name); }
  void put(GgufEntry entry) { out_.entries.push_back(std::move(entry)); }

  // text(id) of every id that has a token; the others are rows of the model without one.
  template <class HasToken, class Text>
  void read_tokens(int64_t size, const HasToken& has_token, const Text& text) {
    for (int64_t id = 0; id < vocab_size_; ++id) {
      const bool is_there = has_token(static_cast<TokenId>(id));
      tokens_.push_back(is_there ? std::string(text(static_cast<TokenId>(id))) : fmt::format("[PAD{}]", id));
      types_.push_back(is_there ? kNormalToken : kUnusedToken);
    }
    if (size > vocab_size_)
      out_.notes.push_back(
          fmt::format("the tokenizer has {} tokens, the model {}: the last are left out", size, vocab_size_));
  }

  void put_tokens(std::string_view model, std::string_view pre) {
    put(GgufEntry::text(key("model"), model));
    put(GgufEntry::text(key("pre"), pre));
    put(GgufEntry::texts(key("tokens"), tokens_));
    put(GgufEntry::numbers(key("token_type"), types_));
  }

  void put_scored_tokens(const std::vector<float>& scores, bool add_space_prefix) {
    for (size_t id = 0; id < tokens_.size(); ++id) {
      // Sought in the text as given, which has no U+2581: it is the merges that give such a token.
      if (types_[id] == kUserDefinedToken && tokens_[id].starts_with(kMetaspace)) types_[id] = kNormalToken;
      if (types_[id] == kNormalToken && parse_byte_token(tokens_[id])) types_[id] = kByteToken;
    }
    put_tokens("llama", "default");
    put(GgufEntry::reals(key("scores"), scores));
    put(GgufEntry::boolean(key("add_space_prefix"), add_space_prefix));
  }

  struct SpecialTokens {
    std::optional<TokenId> bos, eos, unk, pad;
    std::vector<TokenId> prefix, suffix;  // what is put around a text
  };
  void put_special_tokens(const SpecialTokens& tokens) {
    const auto put_id = [&](std::string_view name, std::optional<TokenId> id) {
      if (id && *id < vocab_size_) put(GgufEntry::number(key(name), static_cast<uint32_t>(*id)));
    };
    // One that is put around a text is called so, where the other files name none.
    const auto named = [](std::optional<TokenId> id, const std::vector<TokenId>& around) {
      return !id && around.size() == 1 ? around.front() : id;
    };
    const std::optional<TokenId> bos = named(tokens.bos, tokens.prefix), eos = named(tokens.eos, tokens.suffix);
    put_id("bos_token_id", bos);
    put_id("eos_token_id", eos);
    put_id("unknown_token_id", tokens.unk);
    put_id("padding_token_id", tokens.pad);
    const auto is_only = [](const std::vector<TokenId>& around, std::optional<TokenId> id) {
      return id && around == std::vector{*id};
    };
    put(GgufEntry::boolean(key("add_bos_token"), is_only(tokens.prefix, bos)));
    put(GgufEntry::boolean(key("add_eos_token"), is_only(tokens.suffix, eos)));
    if ((!tokens.prefix.empty() && !is_only(tokens.prefix, bos)) ||
        (!tokens.suffix.empty() && !is_only(tokens.suffix, eos)))
      out_.notes.emplace_back(
          "the tokenizer puts other tokens around a text than its bos and eos, which GGUF cannot say");
  }

  // Read again it must give the same ids. But sentencepiece's rule of today, no second U+2581 before a text that begins
  // with a space, and none behind a control token, is not in GGUF.
  void check(const Tokenizer& own, bool may_begin_otherwise) {
    const auto written = read_again();
    bool begins_otherwise = false;
    for (const std::string_view probe : gguf_pre_probes()) {
      if (written->encode(probe) == own.encode(probe)) continue;
      if (!may_begin_otherwise || !probe.starts_with(' '))
        refuse("a tokenizer that gives other ids when it is read from there");
      begins_otherwise = true;
    }
    if (begins_otherwise)
      out_.notes.emplace_back(
          "GGUF readers put a space before every text, the tokenizer not before one that begins with a space");
  }

  std::shared_ptr<const Tokenizer> read_again() const {
    const std::string image = gguf_image(out_.entries, {});
    try {
      return load_tokenizer(*GgufFile::parse(std::as_bytes(std::span(image)), file_ + " as GGUF"));
    } catch (const Error& error) {
      refuse(fmt::format("a tokenizer that cannot be read from there ({})", error.what()));
    }
  }

  std::string file_;
  int64_t vocab_size_;
  std::vector<std::string> tokens_;
  std::vector<int32_t> types_;
  GgufVocabulary out_;
};

class FromTokenizerJson : VocabularyWriter {
 public:
  FromTokenizerJson(const std::filesystem::path& directory, int64_t vocab_size)
      : VocabularyWriter(directory / "tokenizer.json", vocab_size),
        json_(read_json_file(file_, kMaxTokenizerJsonBytes)),
        root_(json_, file_ + ": "),
        parts_(read_tokenizer_directory(directory)) {}

  GgufVocabulary write() {
    const std::string_view type = model_type(root_["model"]);
    if (type != "BPE") refuse(fmt::format("a {} tokenizer", type));
    bpe_ = read_bpe_section(root_["model"]);
    if (!bpe_.options.continuing_prefix.empty() || !bpe_.options.end_of_word_suffix.empty())
      refuse("BPE with prefixes or suffixes of words");
    normalizer_ = read_normalizer(root_["normalizer"]);
    pre_ = read_pre_tokenizer(root_["pre_tokenizer"], /*model_reads_bytes=*/true);
    read_vocabulary();
    const std::vector<JsonField> steps = steps_of(root_["pre_tokenizer"], "pretokenizers");
    has_byte_level_ = std::any_of(steps.begin(), steps.end(),
                                  [](const JsonField& step) { return step["type"].string() == "ByteLevel"; });
    has_byte_level_ ? write_byte_level() : write_scored();
    put_special_tokens({parts_.bos, parts_.eos, bpe_.options.unk, parts_.pad, parts_.prefix, parts_.suffix});
    check(PipelineTokenizer(std::move(parts_)), /*may_begin_otherwise=*/!has_byte_level_);
    return std::move(out_);
  }

 private:
  void read_vocabulary() {
    const Vocabulary& vocabulary = *parts_.vocabulary;
    read_tokens(
        vocabulary.size(), [&](TokenId id) { return vocabulary.contains(id); },
        [&](TokenId id) { return vocabulary.text(id); });
    const AddedToken* trimming = nullptr;
    for (const AddedToken& token : parts_.added_tokens) {
      if (token.id >= vocab_size_) continue;
      types_[static_cast<size_t>(token.id)] = token.special ? kControlToken : kUserDefinedToken;
      if (token.lstrip || token.rstrip || token.single_word) trimming = &token;
    }
    if (trimming)
      out_.notes.push_back(
          fmt::format("'{}' regards the text beside it (lstrip, rstrip, single_word), which GGUF cannot say",
                      printable(trimming->content)));
  }

  // Steps behind ByteLevel see the characters that spell bytes.
  TextCutter cutter() const {
    return {normalizer_.get(), pre_.pre_tokenizer.get(), has_byte_level_ && !pre_.byte_level};
  }

  void write_byte_level() {
    const bool ignore_merges = bpe_.options.ignore_merges;
    const GgufPre* pre = find_gguf_pre(cutter(), ignore_merges, /*add_bos=*/!parts_.prefix.empty());
    if (!pre)
      refuse(fmt::format("a tokenizer{} whose pre_tokenizer has no name in GGUF (tokenizer.ggml.pre)",
                         ignore_merges ? " with ignore_merges" : ""));
    put_tokens("gpt2", pre->names.substr(0, pre->names.find(' ')));
    std::vector<std::string> merges;
    merges.reserve(bpe_.merges.size());
    for (const BpeMerge& merge : bpe_.merges)
      merges.push_back(fmt::format("{} {}", bpe_.vocabulary->text(merge.left), bpe_.vocabulary->text(merge.right)));
    put(GgufEntry::texts(key("merges"), merges));
  }

  // sentencepiece's scores: those of the token that is merged first are the highest.
  void write_scored() {
    if (!bpe_.options.byte_fallback) refuse("BPE of characters without byte_fallback");
    std::vector<float> scores(tokens_.size(), 0.0f);
    std::vector<bool> is_merged(tokens_.size());
    int merged = 0;
    for (const BpeMerge& merge : bpe_.merges) {
      if (merge.result >= vocab_size_ || is_merged[static_cast<size_t>(merge.result)]) continue;
      is_merged[static_cast<size_t>(merge.result)] = true;
      scores[static_cast<size_t>(merge.result)] = static_cast<float>(-merged++);
    }
    for (size_t id = 0; id < tokens_.size(); ++id)
      if (types_[id] == kNormalToken && !is_merged[id]) scores[id] = static_cast<float>(-merged++);
    if (bpe_.options.unk && *bpe_.options.unk < vocab_size_)
      types_[static_cast<size_t>(*bpe_.options.unk)] = kUnknownToken;
    const std::vector<std::string> word = pieces_of(cutter(), "a");
    put_scored_tokens(scores, !word.empty() && word.front().starts_with(kMetaspace));
  }

  nlohmann::json json_;
  JsonField root_;
  PipelineParts parts_;
  BpeSection bpe_;
  std::unique_ptr<Normalizer> normalizer_;
  PreTokenizerSection pre_;
  bool has_byte_level_ = false;
};

class FromTokenizerModel : VocabularyWriter {
 public:
  FromTokenizerModel(const std::filesystem::path& directory, int64_t vocab_size)
      : VocabularyWriter(directory / "tokenizer.model", vocab_size),
        own_(load_tokenizer(directory)),
        model_(read_sentencepiece_model(read_file(file_))) {}

  GgufVocabulary write() {
    if (!model_.is_bpe) refuse("a sentencepiece tokenizer that is no BPE");
    constexpr float kAddedScore = -1000;
    read_tokens(
        own_->vocab_size(), [&](TokenId id) { return own_->has_token(id); },
        [&](TokenId id) { return own_->token_text(id); });
    std::vector<float> scores(tokens_.size(), kAddedScore);
    std::optional<TokenId> unk;
    for (size_t id = 0; id < tokens_.size(); ++id) {
      const bool is_piece = id < model_.pieces.size();
      if (is_piece) scores[id] = model_.pieces[id].score;
      if (types_[id] == kUnusedToken) continue;
      types_[id] = is_piece ? model_.pieces[id].type : kUserDefinedToken;
      if (types_[id] == kUnknownToken) {
        unk = static_cast<TokenId>(id);
      } else if (own_->is_special(static_cast<TokenId>(id))) {
        types_[id] = kControlToken;
      }
    }
    const std::vector<TokenId> word = own_->encode("a");
    put_scored_tokens(scores, !word.empty() && own_->token_text(word.front()).starts_with(kMetaspace));
    put(GgufEntry::boolean(key("remove_extra_whitespaces"), model_.remove_extra_whitespaces));
    put_special_tokens(special_tokens(unk));
    check(*own_, /*may_begin_otherwise=*/true);
    return std::move(out_);
  }

 private:
  SpecialTokens special_tokens(std::optional<TokenId> unk) const {
    SpecialTokens tokens{own_->bos(), own_->eos(), unk, own_->pad(), {}, {}};
    const std::vector<TokenId> around = own_->encode("", {.add_special = true});
    if (!around.empty() && tokens.bos == around.front()) tokens.prefix = {around.front()};
    if (around.size() > tokens.prefix.size() && tokens.eos == around.back()) tokens.suffix = {around.back()};
    return tokens;
  }

  std::shared_ptr<const Tokenizer> own_;
  SentencePieceModel model_;
};

}  // namespace

GgufVocabulary gguf_vocabulary(const std::filesystem::path& directory, int64_t vocab_size) {
  if (std::filesystem::exists(directory / "tokenizer.json")) return FromTokenizerJson(directory, vocab_size).write();
  return FromTokenizerModel(directory, vocab_size).write();
}

}  // namespace hearth
