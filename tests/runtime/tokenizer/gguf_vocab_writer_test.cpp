// Tokenizers of Hugging Face directories, written as GGUF vocabularies and read again: the same ids, and each
// pre-tokenizer under its name. tests/golden/make_gguf_vocabularies.py and make_tokenizer_families.py made the files.
#include "runtime/tokenizer/gguf_vocab_writer.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>

#include <gmock/gmock.h>

#include "golden.h"
#include "runtime/base/file.h"
#include "runtime/tokenizer/find_gguf_pre.h"
#include "tests/support/error_of.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string image_of(const GgufVocabulary& vocabulary) { return gguf_image(vocabulary.entries, {}); }

std::shared_ptr<const GgufFile> parsed(const std::string& image) {
  return GgufFile::parse(std::as_bytes(std::span(image)), "v.gguf");
}

std::string written(const std::string& folder) {
  return image_of(gguf_vocabulary(folder, load_tokenizer(fs::path(folder))->vocab_size()));
}

std::vector<std::string> texts() {
  std::vector<std::string> texts = read_json(std::string(kGoldenFolder) + "families/strings.json");
  const nlohmann::json more = read_json(std::string(kGoldenFolder) + "gguf_pre.json");
  for (const nlohmann::json& text : more["texts"]) texts.push_back(text);
  return texts;
}

using Pieces = std::vector<std::vector<std::string>>;

template <class Texts>
Pieces all_pieces(const GgufPre& pre, const Texts& texts) {
  const auto nfc = pre.flags.nfc ? make_nfc() : nullptr;
  const auto made = pre.make();
  Pieces pieces;
  for (const auto& text : texts) pieces.push_back(pieces_of({nfc.get(), made.get()}, text));
  return pieces;
}

// Added tokens that regard what is beside them, or are sought after normalisation: GGUF has no such.
std::set<TokenId> peculiar_tokens(const std::string& folder) {
  std::set<TokenId> ids;
  if (!fs::exists(folder + "/tokenizer.json")) return {901, 902};  // spm_legacy's
  const nlohmann::json file = read_json(folder + "/tokenizer.json");
  for (const nlohmann::json& token : file["added_tokens"])
    for (const char* flag : {"lstrip", "rstrip", "single_word", "normalized"})
      if (token[flag].get<bool>()) ids.insert(token["id"].get<TokenId>());
  return ids;
}

TEST(GgufVocabWriter, GivesTheIdsOfTheDirectory) {
  for (const char* name :
       {"families/gpt2", "families/llama3", "families/qwen2", "families/deepseek", "families/deepseek_coder",
        "families/falcon", "families/cohere", "families/neox", "families/roberta", "families/gemma",
        "families/llama2_prepend", "families/llama2_metaspace", "llama2", "spm", "spm_legacy"}) {
    SCOPED_TRACE(name);
    const std::string folder = kGoldenFolder + std::string(name);
    const auto own = load_tokenizer(fs::path(folder));
    const std::string image = written(folder);
    const auto read = load_tokenizer(*parsed(image));
    const std::set<TokenId> peculiar = peculiar_tokens(folder);
    const auto is_peculiar = [&](TokenId id) { return peculiar.contains(id); };
    EXPECT_EQ(read->eos(), own->eos() ? own->eos() : read->eos());  // or the container's
    // What follows the beginning of a text, or a control token, GGUF cannot tell.
    const bool starts_otherwise =
        std::string_view(name).ends_with("metaspace") || std::string_view(name).starts_with("spm");
    size_t compared = 0;
    for (const std::string& text : texts()) {
      if (starts_otherwise && (text.starts_with(' ') || text.starts_with("▁") || text.find("<") != std::string::npos))
        continue;
      for (const EncodeOptions& options : {EncodeOptions{.add_special = true}, EncodeOptions{.parse_special = false}}) {
        const std::vector<TokenId> expected = own->encode(text, options), found = read->encode(text, options);
        if (std::any_of(expected.begin(), expected.end(), is_peculiar) ||
            std::any_of(found.begin(), found.end(), is_peculiar))
          continue;
        ASSERT_EQ(found, expected) << text;
        ++compared;
      }
    }
    EXPECT_GT(compared, 400u);
  }
}

TEST(GgufVocabWriter, NamesEveryPreTokenizer) {
  const nlohmann::json model = read_json(std::string(kGoldenFolder) + "gguf_pre.json");
  nlohmann::json file = {{"added_tokens", nlohmann::json::array()}};
  file["model"] = {{"type", "BPE"}, {"merges", model["merges"]}, {"vocab", nlohmann::json::object()}};
  for (size_t id = 0; id < model["tokens"].size(); ++id)
    file["model"]["vocab"][model["tokens"][id].get<std::string>()] = id;
  const nlohmann::json all = read_json(std::string(kGoldenFolder) + "gguf_pre_sections.json");
  for (const auto& [name, sections] : all.items()) {
    if (name == "bloom" || name == "viking" || name == "kimi-k2") continue;  // classes in classes are not read
    SCOPED_TRACE(name);
    file["normalizer"] = sections["normalizer"];
    file["pre_tokenizer"] = sections["pre_tokenizer"];
    file["model"]["ignore_merges"] = sections["ignore_merges"];
    const test::TemporaryDirectory directory;
    write_file_atomic(directory.path() / "tokenizer.json", file.dump());
    nlohmann::json config = {{"bos_token", "<|endoftext|>"}};
    config["add_bos_token"] = sections["add_bos"];
    write_file_atomic(directory.path() / "tokenizer_config.json", config.dump());
    const std::string image = written(directory.path());
    const GgufPre& found = gguf_pre(*parsed(image)->string("tokenizer.ggml.pre"), "");
    const GgufPre& expected = gguf_pre(name, "");
    EXPECT_TRUE(found.names == expected.names || (found.flags.add_bos == expected.flags.add_bos &&
                                                  all_pieces(found, texts()) == all_pieces(expected, texts())))
        << found.names;
  }
}

// Two names cut the probes alike only if they cut everything alike.
TEST(GgufVocabWriter, ProbesTellTheNamesApart) {
  std::vector<std::pair<Pieces, Pieces>> pieces;
  for (const GgufPre& pre : gguf_pres())
    pieces.emplace_back(all_pieces(pre, gguf_pre_probes()), all_pieces(pre, texts()));
  for (size_t a = 0; a < pieces.size(); ++a)
    for (size_t b = a + 1; b < pieces.size(); ++b)
      EXPECT_EQ(pieces[a].first == pieces[b].first, pieces[a].second == pieces[b].second)
          << gguf_pres()[a].names << " and " << gguf_pres()[b].names;
}

TEST(GgufVocabWriter, RefusesByName) {
  const test::TemporaryDirectory directory;
  std::string file = read_file(std::string(kGoldenFolder) + "families/llama3/tokenizer.json");
  const size_t at = file.find("{1,3}");
  ASSERT_NE(at, std::string::npos);
  write_file_atomic(directory.path() / "tokenizer.json", file.replace(at, 5, "{1,2}"));
  const std::pair<fs::path, const char*> cases[] = {{directory.path(), "whose pre_tokenizer has no name in GGUF"},
                                                    {"families/t5", "a Unigram tokenizer cannot be written to GGUF"},
                                                    {"families/bert_cased", "a WordPiece tokenizer"},
                                                    {"families/wordlevel", "a WordLevel tokenizer"},
                                                    {"families/clip", "BPE with prefixes or suffixes of words"},
                                                    {"split_removed", "BPE of characters without byte_fallback"}};
  for (const auto& one : cases) {
    const std::string error = test::error_of([&] { written((kGoldenFolder / one.first).string()); });
    EXPECT_THAT(error, HasSubstr(one.second));
    EXPECT_THAT(error, HasSubstr("export_format: safetensors"));
  }
}

}  // namespace
}  // namespace hearth
