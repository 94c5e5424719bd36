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
#include "finetune/export/export_model.h"
#include "models/adapters/new_adapter.h"
#include "models/adapters/served_adapter.h"
#include "runtime/io/gguf.h"
#include "tests/models/adapters/tiny_adapters.h"

namespace hearth {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class Recorder : public ExportMonitor {
 public:
  void on_note(const std::string&) override {}
  void on_warning(const std::string& line) override { warnings.push_back(line); }
  void on_written(uint64_t bytes, uint64_t total) override {
    written = bytes;
    expected = total;
  }
  bool stop_requested() override { return stops; }

  std::vector<std::string> warnings;
  uint64_t written = 0, expected = 0;
  bool stops = false;
};

ExportResult exported(const std::string& yaml, Recorder& recorder) {
  return export_model(parse_export_spec(yaml, "export.yaml"), recorder);
}

ExportResult exported(const std::string& yaml) {
  Recorder recorder;
  const ExportResult result = exported(yaml, recorder);
  EXPECT_EQ(recorder.written, recorder.expected);
  return result;
}

LoadedModel load_exact(const fs::path& path) {
  return load_model(path, {.compute_dtype = ComputeDtype::kFloat32, .chat = {}});
}

std::vector<float> logprobs(const LoadedModel& loaded, const Adapter* adapter = nullptr) {
  const auto ids = test::tiny_models()["prompts"]["short"].get<std::vector<TokenId>>();
  Batch batch = test::batch_of(ids, 0, static_cast<int>(ids.size()));
  batch.segments[0].adapter = adapter;
  std::vector<TokenId> targets(ids.begin() + 1, ids.end());
  targets.push_back(-1);
  const Tensor result = ops::token_logprobs(loaded.model->forward(batch), loaded.model->output_head(), targets);
  return {result.data(), result.data() + ids.size() - 1};
}

// What serving says with the adapters in their order.
std::vector<float> served_logprobs(const fs::path& base, const std::vector<fs::path>& adapters) {
  const LoadedModel loaded = load_exact(base);
  const auto adapter = apply_adapters(adapters, loaded.model->tensors(), ComputeDtype::kFloat32);
  return logprobs(loaded, adapter.get());
}

double furthest(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, static_cast<double>(std::fabs(a[i] - b[i])));
  return most;
}

std::string yaml_of(const fs::path& base, const std::vector<fs::path>& adapters, const fs::path& out,
                    const std::string& more = "") {
  std::string yaml = "model_name_or_path: " + base.string() + "\nexport_dir: " + out.string() + "\n" + more + "\n";
  for (const fs::path& adapter : adapters)
    yaml += (&adapter == &adapters.front() ? "adapter_name_or_path: " : ",") + adapter.string();
  return yaml + "\n";
}

// A new adapter whose factors are not 0, of whatever the model's linear maps are.
fs::path made_adapter(const fs::path& base, const fs::path& directory) {
  const LoadedModel loaded = load_exact(base);
  const PeftAdapter peft = make_adapter({.rank = 2, .seed = 3}, loaded.model->tensors());
  for (const auto& part : peft.adapter->low_ranks)
    if (part)
      for (size_t i = 0; i < part->b.value.size(); ++i)
        part->b.value.data()[i] = 0.05f * std::sin(static_cast<float>(i));
  write_adapter(directory, peft.config, *peft.adapter, loaded.model->tensors());
  return directory;
}

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
  EXPECT_THAT(test::refusal([&] { exported(yaml_of(base.path(), {}, out, "export_format: gguf")); }),
              HasSubstr("needs a GGUF file as the model"));
  EXPECT_THAT(test::refusal([&] { exported(yaml_of(base.path(), {test::kPeftAdapters / "gpt2"}, out)); }),
              HasSubstr("does not fit the model"));
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace hearth
