// Vocabularies that are not what they should be are refused with a message that names the place; what is not
// implemented is never left out silently.
#include <gmock/gmock.h>

#include "golden.h"
#include "runtime/base/file.h"
#include "runtime/base/random.h"
#include "tests/support/image_builder.h"
#include "tests/support/temporary_directory.h"

namespace hearth {
namespace {

using testing::HasSubstr;

template <class Fn>
std::string error_of(Fn&& fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

nlohmann::json small_json() {
  return nlohmann::json::parse(
      R"({"added_tokens": [{"id": 3, "content": "<s>", "special": true}], "normalizer": null, "pre_tokenizer": null, "post_processor": null,
    "decoder": {"type": "Fuse"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}})");
}

std::string load_error(const std::string& content, const std::string& file = "tokenizer.json") {
  const test::TemporaryDirectory directory;
  write_file_atomic(directory.path() / file, content);
  return error_of([&] { (void)load_tokenizer(directory.path()); });
}

// The small file with the value at `pointer` replaced.
std::string load_error_with(const char* pointer, const char* value) {
  nlohmann::json json = small_json();
  json[nlohmann::json::json_pointer(pointer)] = nlohmann::json::parse(value);
  return load_error(json.dump());
}

TEST(TokenizerJson, SmallFileLoads) { EXPECT_EQ(load_error(small_json().dump()), "no error"); }

// The list of names behind the message for one that is unknown.
std::string supported(const std::string& message) {
  constexpr std::string_view kBefore = "supported are ";
  const size_t at = message.find(kBefore);
  return at == std::string::npos ? message : message.substr(at + kBefore.size());
}

TEST(Readme, ListsEveryComponentOfTokenizerJson) {
  const std::string readme = read_file("README.md");
  const auto expect_row = [&](const std::string& label, const std::string& names) {
    EXPECT_NE(readme.find("| " + label + " | " + names + " |\n"), std::string::npos) << label << " " << names;
  };
  expect_row("models", supported(load_error_with("/model/type", R"("Other")")));
  expect_row("normalizers", supported(load_error_with("/normalizer", R"({"type": "Other"})")));
  expect_row("pre-tokenizers", supported(load_error_with("/pre_tokenizer", R"({"type": "Other"})")));
  expect_row("post-processors", supported(load_error_with("/post_processor", R"({"type": "Other"})")));
  expect_row("decoders", supported(load_error_with("/decoder", R"({"type": "Other"})")));
}

TEST(TokenizerJson, UnknownComponentsAreErrorsThatNameThem) {
  EXPECT_THAT(
      load_error_with("/model/type", R"("Trigram")"),
      HasSubstr("model: the model type 'Trigram' is not supported; supported are BPE, Unigram, WordPiece, WordLevel"));
  EXPECT_THAT(load_error_with("/normalizer", R"({"type": "Append"})"),
              HasSubstr("normalizer: the normalizer 'Append' is not supported; supported are NFC, "));
  EXPECT_THAT(
      load_error_with("/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Append"}]})"),
      HasSubstr("normalizers[1]: the normalizer 'Append'"));
  EXPECT_THAT(load_error_with("/pre_tokenizer", R"({"type": "UnicodeScripts"})"),
              HasSubstr("pre_tokenizer: the pre-tokenizer 'UnicodeScripts'"));
  EXPECT_THAT(
      load_error_with("/pre_tokenizer", R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Sometimes"})"),
      HasSubstr("'Sometimes' is not supported"));
  EXPECT_THAT(load_error_with("/post_processor", R"({"type": "PairProcessing"})"),
              HasSubstr("the post-processor 'PairProcessing'"));
  EXPECT_THAT(load_error_with("/decoder", R"({"type": "Morse"})"), HasSubstr("the decoder 'Morse'"));
  EXPECT_THAT(load_error_with("/decoder", R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "CTC"}]})"),
              HasSubstr("decoders[1]: the decoder behind ByteLevel or Fuse, 'CTC'"));
  EXPECT_THAT(
      load_error_with(
          "/decoder",
          R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Replace", "pattern": {"Regex": "a"}, "content": ""}]})"),
      HasSubstr("decoders[1].pattern: a Regex behind ByteLevel or Fuse"));
}

TEST(TokenizerJson, MalformedContentIsRefused) {
  EXPECT_THAT(load_error("{"), HasSubstr("tokenizer.json"));
  EXPECT_THAT(load_error("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(load_error_with("/model/vocab", "[]"), HasSubstr("model.vocab: must be an object"));
  EXPECT_THAT(load_error_with("/model/vocab/c", "-1"), HasSubstr("token id -1 is outside"));
  EXPECT_THAT(load_error_with("/model/vocab/c", "4000000000"), HasSubstr("token id 4000000000 is outside"));
  EXPECT_THAT(load_error_with("/model/vocab/c", "2"), HasSubstr("token id 2 is given twice"));
  EXPECT_THAT(load_error_with("/model/vocab/c", "1.5"), HasSubstr("the id of 'c' must be an integer"));
  EXPECT_THAT(load_error_with("/model/merges/0", R"(["a", "c"])"),
              HasSubstr("merges[0]: 'a' and 'c': names a token that is not in the vocabulary"));
  EXPECT_THAT(load_error_with("/model/merges/0", R"("a b c")"), HasSubstr("merges[0]: must be two tokens"));
  EXPECT_THAT(load_error_with("/model/merges/0", R"(["a"])"), HasSubstr("merges[0]: must be two tokens"));
  EXPECT_THAT(load_error_with("/model/unk_token", R"("<unk>")"),
              HasSubstr("unk_token: '<unk>' is not in the vocabulary"));
  EXPECT_THAT(load_error_with("/added_tokens/0/id", "1"), HasSubstr("added_tokens[0]: token id 1 is given twice"));
  EXPECT_THAT(load_error_with("/added_tokens/0/content", "7"), HasSubstr("content: must be a string"));
  EXPECT_THAT(
      load_error_with("/pre_tokenizer", R"({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"})"),
      HasSubstr("regular expression '('"));
  EXPECT_THAT(load_error_with("/model", R"({"type": "Unigram", "vocab": [["a"]]})"),
              HasSubstr("model.vocab[0]: must be a token and its score"));
  EXPECT_THAT(load_error_with("/model", R"({"type": "Unigram", "vocab": [["a", 0]], "unk_id": 1})"),
              HasSubstr("model.unk_id: token id 1 is not in the vocabulary"));
  EXPECT_THAT(load_error_with("/model", R"({"type": "WordPiece", "vocab": {}, "max_input_chars_per_word": -1})"),
              HasSubstr("max_input_chars_per_word: is negative"));
  EXPECT_THAT(load_error_with("/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "!"})"),
              HasSubstr("normalizer.precompiled_charsmap: is not base64"));
  EXPECT_THAT(load_error_with("/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "/////w=="})"),
              HasSubstr("normalizer.precompiled_charsmap: the charsmap of 4 bytes is cut off"));
  EXPECT_THAT(load_error_with("/pre_tokenizer", R"({"type": "FixedLength", "length": 0})"),
              HasSubstr("pre_tokenizer.length: must not be 0"));
  EXPECT_THAT(load_error_with("/pre_tokenizer", R"({"type": "CharDelimiterSplit", "delimiter": "ab"})"),
              HasSubstr("pre_tokenizer.delimiter: must be one character"));
  EXPECT_THAT(load_error_with("/decoder", R"({"type": "Strip", "content": " ", "start": -1, "stop": 0})"),
              HasSubstr("decoder.start: must not be negative"));
  EXPECT_THAT(load_error_with("/post_processor", R"({"type": "BertProcessing", "cls": ["a", 0], "sep": ["x", 9]})"),
              HasSubstr("post_processor.sep[1]: token id 9 is not in the vocabulary"));
  EXPECT_THAT(
      load_error_with("/post_processor", R"({"type": "TemplateProcessing", "single": [], "special_tokens": {}})"),
      HasSubstr("has no Sequence"));
  EXPECT_THAT(
      load_error_with(
          "/post_processor",
          R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}], "special_tokens": {"x": {"ids": [99]}}})"),
      HasSubstr("token id 99 is not in the vocabulary"));
}

TEST(TokenizerJson, MutatedFilesLoadOrAreRefused) {
  Random random(3);
  for (const char* name : {"llama2", "every_flag"}) {
    const std::string good = read_file(std::filesystem::path(kGoldenFolder) / name / "tokenizer.json");
    for (int round = 0; round < 60; ++round) {
      std::string bad = good;
      // Near the start and the end lie the sections, between them the vocabulary.
      for (int i = 0; i < 3; ++i)
        bad[random.below(round % 2 == 0 ? std::min<size_t>(2000, bad.size()) : bad.size())] =
            static_cast<char>(random.below(128));
      const test::TemporaryDirectory directory;
      write_file_atomic(directory.path() / "tokenizer.json", bad);
      try {
        (void)load_tokenizer(directory.path())->encode("Hello <s>world 123 é");
      } catch (const Error&) {  // refused
      }
    }
  }
}

TEST(Sentencepiece, FilesThatAreNoModelsAreRefused) {
  EXPECT_THAT(load_error("", "tokenizer.model"), HasSubstr("not a sentencepiece model"));
  EXPECT_THAT(load_error("not a model", "tokenizer.model"), HasSubstr("not a sentencepiece model"));
  const test::TemporaryDirectory empty;
  EXPECT_THAT(error_of([&] { (void)load_tokenizer(empty.path()); }),
              HasSubstr("has neither tokenizer.json nor tokenizer.model"));
}

struct GgufVocab {
  std::string model = "gpt2", pre = "gpt-2";
  std::vector<std::string> tokens = {"a", "b", "ab", "<s>"}, merges = {"a b"};
  std::vector<int32_t> types = {1, 1, 1, 3};
  std::vector<float> scores = {0, 0, -1, 0};
  int32_t bos = 3;

  std::string load_error() const {
    constexpr uint32_t kInt32 = 5, kFloat = 6, kString = 8;
    test::GgufBuilder b(0, 7);
    b.key("tokenizer.ggml.model", kString).text(model).key("tokenizer.ggml.pre", kString).text(pre);
    b.key("tokenizer.ggml.bos_token_id", kInt32).put(bos);
    b.array("tokenizer.ggml.tokens", kString, tokens.size());
    for (const auto& token : tokens) b.text(token);
    b.array("tokenizer.ggml.merges", kString, merges.size());
    for (const auto& merge : merges) b.text(merge);
    b.array("tokenizer.ggml.token_type", kInt32, types.size());
    for (const int32_t type : types) b.put(type);
    b.array("tokenizer.ggml.scores", kFloat, scores.size());
    for (const float score : scores) b.put(score);
    const auto gguf = GgufFile::parse(test::as_image(b.bytes()), "v.gguf");
    return error_of([&] { (void)load_tokenizer(*gguf)->encode("ab <s>"); });
  }
};

TEST(GgufVocab, SmallVocabulariesLoad) {
  EXPECT_EQ(GgufVocab{}.load_error(), "no error");
  EXPECT_EQ(GgufVocab{.model = "llama"}.load_error(), "no error");
  EXPECT_EQ((GgufVocab{.tokens = {"a", "a", "ab", "b"}, .types = {1, 1, 1, 1}}.load_error()),
            "no error");  // the later of two counts
}

TEST(GgufVocab, UnknownKindsAreErrorsThatNameThem) {
  EXPECT_THAT(
      GgufVocab{.model = "rwkv"}.load_error(),
      HasSubstr("v.gguf: tokenizer.ggml.model is 'rwkv'; supported are 'gpt2', 'gemma4', 'llama', 't5' and 'bert'"));
  EXPECT_THAT(GgufVocab{.pre = "klingon"}.load_error(),
              HasSubstr("v.gguf: tokenizer.ggml.pre is 'klingon', which is not known; known are gpt-2, "));
  EXPECT_THAT(GgufVocab{.pre = "lama-bpe"}.load_error(),
              HasSubstr("v.gguf: tokenizer.ggml.pre is 'lama-bpe', which is not known (did you mean 'llama-bpe'?)"));
}

TEST(GgufVocab, MalformedContentIsRefused) {
  EXPECT_THAT(GgufVocab{.tokens = {}}.load_error(), HasSubstr("tokenizer.ggml.tokens is missing or empty"));
  EXPECT_THAT((GgufVocab{.tokens = {"a", "b", "ab", "\xFF"}}.load_error()),
              HasSubstr("tokenizer.ggml.tokens: token 3 is not UTF-8 at byte 0"));
  EXPECT_THAT((GgufVocab{.merges = {"a c"}}.load_error()),
              HasSubstr("entry 0, 'a c', names a token that is not in the vocabulary"));
  EXPECT_THAT((GgufVocab{.merges = {"ab"}}.load_error()), HasSubstr("entry 0, 'ab', is not two tokens"));
  EXPECT_THAT(GgufVocab{.merges = {}}.load_error(), HasSubstr("tokenizer.ggml.merges is missing or empty"));
  EXPECT_THAT((GgufVocab{.types = {1, 1}}.load_error()),
              HasSubstr("tokenizer.ggml.token_type has 2 entries for 4 tokens"));
  EXPECT_THAT(GgufVocab{.bos = 4}.load_error(),
              HasSubstr("tokenizer.ggml.bos_token_id is 4, the vocabulary has 4 tokens"));
  EXPECT_THAT(GgufVocab{.bos = -1}.load_error(), HasSubstr("tokenizer.ggml.bos_token_id is -1"));
  EXPECT_THAT((GgufVocab{.model = "llama", .scores = {0}}.load_error()),
              HasSubstr("tokenizer.ggml.scores has 1 entries for 4 tokens"));
  EXPECT_THAT((GgufVocab{.model = "llama", .scores = {0, 0, NAN, 0}}.load_error()),
              HasSubstr("scores: entry 2 is not a finite number"));
  EXPECT_THAT((GgufVocab{.model = "llama", .tokens = {"a", "b", std::string(2000, 'a'), "c"}}.load_error()),
              HasSubstr("token 2 has 2000 bytes"));
}

}  // namespace
}  // namespace hearth
