// What an export holds, loaded again, says what its base says with the adapters; what it refuses, and what it leaves
// behind.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/export/export_directory.h"
#include "runtime/io/gguf.h"
#include "tests/finetune/export/exports.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;
using test::exported;
using test::furthest;
using test::load_exact;
using test::logprobs;
using test::made_adapter;
using test::Recorder;
using test::served_logprobs;
using test::yaml_of;

TEST(Export, MergedCheckpointsSayWhatServingSays) {
  for (const auto& [base_name, names] :
       std::vector<std::pair<std::string, std::vector<std::string>>>{{"none", {"plain"}},
                                                                     {"none", {"rslora"}},
                                                                     {"none", {"dora"}},
                                                                     {"none", {"pissa"}},
                                                                     {"none", {"plain", "dora"}},
                                                                     {"none", {"plain", "pissa"}},
                                                                     {"gpt2", {"gpt2"}},
                                                                     {"gpt2", {"saved"}}}) {
    const test::TemporaryDirectory base, work;
    test::make_directory(test::tiny_model(base_name), base.path());
    std::vector<fs::path> adapters;
    for (const std::string& name : names) adapters.push_back(test::kPeftAdapters / name);
    const ExportResult result = exported(yaml_of(base.path(), adapters, work.path() / "out"));
    EXPECT_GT(result.bytes, 0u);
    const std::vector<float> found = logprobs(load_exact(work.path() / "out"));
    EXPECT_LT(furthest(found, served_logprobs(base.path(), adapters)), 1e-4) << names.back();
    if (names.front() == "pissa") continue;  // it was hardly trained: alone it is its base
    EXPECT_GT(furthest(found, served_logprobs(base.path(), {})), 1e-3) << names.back() << " changes nothing";
  }
}

// Fused q, k and v, reordered rows, transposed matrices: the file's arrangement is the base's again.
TEST(Export, EveryArchitectureIsMergedInBothFileFormats) {
  for (const char* name :
       {"none", "qwen3", "phi3", "gpt2", "gpt_neox", "falcon_new", "internlm2", "glm_fused", "gemma2", "mixtral"}) {
    const nlohmann::json& one = test::tiny_model(name);
    const test::TemporaryDirectory base, work;
    test::make_directory(one, base.path());
    const fs::path adapter = made_adapter(base.path(), work.path() / "adapter");
    const std::vector<float> expected = served_logprobs(base.path(), {adapter});
    exported(yaml_of(base.path(), {adapter}, work.path() / "hf"));
    EXPECT_LT(furthest(logprobs(load_exact(work.path() / "hf")), expected), 1e-4) << name;
    const fs::path gguf = test::make_gguf(one, work.path());
    exported(yaml_of(gguf, {adapter}, work.path() / "gguf", "export_format: gguf"));
    EXPECT_LT(furthest(logprobs(load_exact(work.path() / "gguf/model.gguf")), expected), 1e-4) << name;
  }
}

TEST(Export, GgufWithoutAdaptersIsTheBaseBitForBit) {
  for (const char* name : {"none", "q4_0", "q8_0", "gemma2"}) {
    const test::TemporaryDirectory work;
    const fs::path base = test::make_gguf(test::tiny_model(name), work.path());
    exported(yaml_of(base, {}, work.path() / "out"));
    const auto before = GgufFile::open(base), after = GgufFile::open(work.path() / "out/model.gguf");
    ASSERT_EQ(before->entries().size(), after->entries().size());
    for (size_t i = 0; i < before->entries().size(); ++i) {
      EXPECT_EQ(before->entries()[i].key, after->entries()[i].key);
      EXPECT_TRUE(std::ranges::equal(before->entries()[i].bytes, after->entries()[i].bytes));
    }
    ASSERT_EQ(before->tensors().size(), after->tensors().size());
    for (const GgufFile::Tensor& tensor : before->tensors()) {
      const GgufFile::Tensor* same = after->tensor(tensor.name);
      ASSERT_TRUE(same && same->format == tensor.format && same->dims == tensor.dims) << tensor.name;
      EXPECT_TRUE(std::ranges::equal(tensor.bytes, same->bytes)) << tensor.name;
    }
  }
}

TEST(Export, GgufTypesAreThoseOfTheMixture) {
  const test::TemporaryDirectory work;
  const fs::path base = test::make_gguf(test::tiny_model("none"), work.path());
  const std::vector<float> expected = logprobs(load_exact(base));
  struct Case {
    const char* name;
    Format matrices;
    int file_type;
    double off;  // of a log-probability, at most
  };
  // Rows of 64 values are no multiple of 256: the K types give way to those of blocks of 32.
  for (const Case& one :
       {Case{"f32", Format::kF32, 0, 1e-5}, Case{"f16", Format::kF16, 1, 0.03}, Case{"bf16", Format::kBF16, 32, 0.3},
        Case{"q8_0", Format::kQ8_0, 7, 1}, Case{"q4_0", Format::kQ4_0, 2, 8}, Case{"q4_1", Format::kQ4_1, 3, 5},
        Case{"q6_k", Format::kQ8_0, 18, 1}, Case{"q4_k_m", Format::kQ5_0, 15, 4}}) {
    const fs::path out = work.path() / one.name;
    exported(yaml_of(base, {}, out, std::string("export_format: gguf\nexport_quantization: ") + one.name));
    const auto gguf = GgufFile::open(out / "model.gguf");
    EXPECT_EQ(gguf->tensor("blk.0.attn_q.weight")->format, one.matrices) << one.name;
    EXPECT_EQ(gguf->tensor("blk.0.attn_norm.weight")->format, Format::kF32) << one.name;
    EXPECT_EQ(gguf->integer("general.file_type"), one.file_type);
    EXPECT_LT(furthest(logprobs(load_exact(out / "model.gguf")), expected), one.off) << one.name;
  }
}

TEST(Export, TakesTheTypeThatIsAskedForAndShards) {
  const test::TemporaryDirectory base, work;
  test::make_directory(test::tiny_model("none"), base.path());
  exported(yaml_of(base.path(), {}, work.path() / "half", "infer_dtype: bfloat16"));
  const nlohmann::json config = nlohmann::json::parse(read_file(work.path() / "half/config.json"));
  EXPECT_EQ(config["torch_dtype"], "bfloat16");
  EXPECT_NE(load_exact(work.path() / "half").description.find("BF16"), std::string::npos);
  exported(yaml_of(base.path(), {}, work.path() / "same"));
  EXPECT_EQ(logprobs(load_exact(work.path() / "same")), logprobs(load_exact(base.path())));
}

TEST(Export, WritesTheTemplateThatIsNamed) {
  const test::TemporaryDirectory base, work;
  test::make_directory(test::tiny_model("none"), base.path());
  exported(yaml_of(base.path(), {}, work.path() / "out", "template: alpaca"));
  const nlohmann::json config = nlohmann::json::parse(read_file(work.path() / "out/tokenizer_config.json"));
  EXPECT_THAT(config["chat_template"].get<std::string>(), HasSubstr("### Instruction:\n"));
  EXPECT_EQ(config["padding_side"], "left");
  const std::string modelfile = read_file(work.path() / "out/Modelfile");
  EXPECT_THAT(modelfile, HasSubstr("FROM .\n\nTEMPLATE \"\"\"{{ if .System }}"));
  EXPECT_THAT(modelfile, HasSubstr("PARAMETER num_ctx 4096\n"));
  EXPECT_TRUE(load_exact(work.path() / "out").chat_template);
}

TEST(Export, ReplacesExportsAndNothingElse) {
  const test::TemporaryDirectory base, work;
  test::make_directory(test::tiny_model("none"), base.path());
  const fs::path out = work.path() / "out";
  const auto run = [&] { exported(yaml_of(base.path(), {}, out)); };
  fs::create_directory(out);
  write_file_atomic(out / "thesis.tex", "years");
  EXPECT_THAT(test::refusal(run), HasSubstr("holds files that are no earlier export"));
  EXPECT_EQ(read_file(out / "thesis.tex"), "years");
  fs::remove(out / "thesis.tex");
  run();
  write_file_atomic(out / "stale.bin", "of the earlier export");
  run();
  EXPECT_TRUE(fs::exists(out / "model.safetensors"));
  EXPECT_FALSE(fs::exists(out / "stale.bin"));
  Recorder stopped;
  stopped.stops = true;
  EXPECT_THAT(test::refusal([&] { exported(yaml_of(base.path(), {}, out), stopped); }), HasSubstr("stopped"));
  EXPECT_TRUE(fs::exists(out / "model.safetensors")) << "what was there stays";
  EXPECT_EQ(std::distance(fs::directory_iterator(work.path()), {}), 1) << "and nothing beside it";
}

TEST(Export, RefusesWhatItCannotWrite) {
  const test::TemporaryDirectory base, work;
  test::make_directory(test::tiny_model("none"), base.path());
  const fs::path gguf = test::make_gguf(test::tiny_model("none"), work.path()), out = work.path() / "out";
  EXPECT_THAT(test::refusal([&] { exported(yaml_of(gguf, {}, out, "export_format: safetensors")); }),
              HasSubstr("no Hugging Face checkpoint can be written"));
  EXPECT_THAT(test::refusal([&] { exported(yaml_of(base.path(), {test::kPeftAdapters / "gpt2"}, out)); }),
              HasSubstr("does not fit the model"));
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace hearth
