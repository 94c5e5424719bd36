// Input made to be slow, and many threads at once.
#include <atomic>
#include <ctime>
#include <thread>

#include "golden.h"
#include "runtime/base/error.h"
#include "runtime/tokenizer/normalizer.h"
#include "runtime/tokenizer/regex.h"

namespace hearth {
namespace {

std::string repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::vector<std::shared_ptr<const Tokenizer>> every_kind() {
  std::vector<std::shared_ptr<const Tokenizer>> tokenizers = {default_tokenizer()};
  for (const char* name : {"llama3", "llama2", "every_flag", "spm"})
    tokenizers.push_back(load_tokenizer(std::filesystem::path(kGoldenFolder) / name));
  tokenizers.push_back(load_tokenizer(*GgufFile::open(std::string(kGoldenFolder) + "llama2.gguf")));
  return tokenizers;
}

std::vector<std::shared_ptr<const Tokenizer>> every_model() {
  std::vector<std::shared_ptr<const Tokenizer>> tokenizers;
  for (const char* name : {"bert_uncased", "t5", "xlm_roberta", "albert", "unigram_bytes", "wordlevel", "clip",
                           "subword_prefix", "byte_level_normalizer", "falcon", "gemma"})
    tokenizers.push_back(load_tokenizer(std::filesystem::path(kGoldenFolder) / "families" / name));
  return tokenizers;
}

// Quadratic work on these texts would take minutes; the bound leaves room for sanitizers.
TEST(Adversarial, LongWordsAndRunsTakeNearLinearTime) {
  const std::string texts[] = {repeat("a", 100'000),
                               repeat(" ", 30'000),
                               repeat("\n", 30'000),
                               repeat("ab", 15'000),
                               repeat("\u0300\u0316", 15'000),
                               repeat("<|im_", 6'000),
                               repeat("é", 15'000),
                               repeat("😀", 8'000),
                               repeat("1", 30'000),
                               repeat(" \n", 15'000),
                               repeat("▁", 10'000) + "x",
                               repeat("'s", 15'000)};
  for (const auto& tokenizer : every_kind()) {
    for (const std::string& text : texts) {
      const std::clock_t start = std::clock();
      const std::vector<TokenId> ids = tokenizer->encode(text);
      const double seconds =
          static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;  // of this process, not of the clock
      EXPECT_LT(seconds, 10.0) << text.substr(0, 8);
      EXPECT_LE(ids.size(), 3 * text.size() + 3);
    }
  }
}

TEST(Adversarial, EveryModelReadsLongRunsInNearLinearTime) {
  const std::pair<const char*, size_t> texts[] = {{"a", 200'000}, {"\u0300\u0316", 10'000}, {"ጀ", 10'000},
                                                  {" ", 30'000},  {"\u00ad", 10'000},       {"'", 10'000}};
  for (const auto& tokenizer : every_model()) {
    for (const auto& [text, times] : texts) {
      const std::clock_t start = std::clock();
      const std::vector<TokenId> ids = tokenizer->encode(repeat(text, times));
      (void)tokenizer->decode(ids);
      EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 20.0) << text;
    }
  }
}

TEST(Adversarial, NormalisationSortsLongRunsOfMarksInLinearTime) {
  const std::unique_ptr<Normalizer> nfc = make_nfc();
  NormalizedText text = to_normalize("q" + repeat("\u0307\u0323", 100'000), false);
  nfc->apply(text);
  EXPECT_EQ(text.text, "q" + repeat("\u0323", 100'000) + repeat("\u0307", 100'000));
}

TEST(Adversarial, RegularExpressionsHaveALimit) {
  const Regex regex("(a+a+)+[bc]");
  EXPECT_THROW((void)regex.find(std::string(2000, 'a'), 0), Error);
}

TEST(Adversarial, TextThatIsNotUtf8IsRefused) {
  for (const auto& tokenizer : every_kind()) {
    for (const std::string_view text : {"\xFF", "ab\xC3", "\xED\xA0\x80"})
      EXPECT_THROW((void)tokenizer->encode(text), Error);
  }
}

TEST(Threads, EncodeTheSameAtOnce) {
  const nlohmann::json golden = read_json(std::string(kGoldenFolder) + "smollm2.json");
  for (const auto& tokenizer : every_kind()) {
    std::vector<std::vector<TokenId>> expected;
    for (const auto& test : golden.at("encode"))
      expected.push_back(tokenizer->encode(test.at("text").get<std::string>()));
    std::vector<std::thread> threads;
    std::atomic<int> differences{0};
    for (size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (size_t i = 0; i < expected.size(); ++i) {
          const size_t at = (i + t * 100) % expected.size();
          if (tokenizer->encode(golden.at("encode")[at].at("text").get<std::string>()) != expected[at]) ++differences;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(differences, 0);
  }
}

}  // namespace
}  // namespace hearth
