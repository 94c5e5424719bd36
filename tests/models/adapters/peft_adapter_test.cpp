// Adapters that peft wrote: what they say is what peft says, what is written is what peft wrote, and what does not fit
// is refused with counts.
#include "models/adapters/peft_adapter.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/adapters/layout.h"
#include "models/adapters/merge.h"
#include "models/model_config.h"
#include "runtime/base/random.h"
#include "runtime/io/safetensors.h"
#include "runtime/io/safetensors_writer.h"
#include "tests/models/adapters/tiny_adapters.h"

namespace hearth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr double kLogprobs = 1e-4;  // the tiny models' own tolerance
constexpr double kMerged = 5e-6;    // of values up to 3; PiSSA's were taken away in f32 and given back

const nlohmann::json& adapters() {
  static const nlohmann::json kAdapters = nlohmann::json::parse(read_file(test::kPeftAdapters / "adapters.json"));
  return kAdapters;
}

// As training and serving use it.
void put_into(const PeftAdapter& adapter, ModelTensors tensors) {
  for (const SavedTensor& saved : adapter.saved)
    saved.tensor->trained = std::make_unique<Parameter>(Parameter{saved.tensor->name, saved.value, {}});
  for (const std::shared_ptr<ModelTensor>& tensor : tensors) {
    const LowRank* taken = adapter.taken ? adapter.taken->at(tensor->linear) : nullptr;
    if (taken) tensor->weight = merged(tensor->weight, *taken);
  }
}

std::vector<float> logprobs_with(const LanguageModel& model, const Adapter& adapter, const std::vector<TokenId>& ids) {
  const int n = static_cast<int>(ids.size());
  Batch batch = test::batch_of(ids, 0, n);
  batch.segments[0].adapter = &adapter;
  std::vector<TokenId> targets(ids.begin() + 1, ids.end());
  targets.push_back(-1);
  const Tensor result = ops::token_logprobs(model.forward(batch), model.output_head(), targets);
  return {result.data(), result.data() + n - 1};
}

void expect_merged(const PeftAdapter& adapter, const fs::path& folder, ModelTensors tensors, const std::string& name) {
  const auto file = SafetensorsFile::open(folder / "merged.safetensors");
  for (const SafetensorsFile::Tensor& stored : file->tensors()) {
    const ModelTensor& tensor = *test::tensor_of(tensors, stored.name);
    const LowRank* low_rank = adapter.adapter->at(tensor.linear);
    const Weight result = low_rank ? merged(tensor.weight, *low_rank) : tensor.weight;
    std::vector<float> expected(result.out() * result.in()), found(expected.size());
    ASSERT_EQ(stored.bytes.size(), expected.size() * sizeof(float));
    dequantize(Format::kF32, stored.bytes.data(), static_cast<int64_t>(expected.size()), expected.data());
    result.dequantize_rows(0, result.out(), found.data());
    double worst = 0;
    for (size_t i = 0; i < found.size(); ++i) worst = std::max<double>(worst, std::fabs(found[i] - expected[i]));
    EXPECT_LT(worst, kMerged) << name << ": " << stored.name;
  }
}

TEST(PeftAdapter, SaysWhatPeftSaysAppliedAndMerged) {
  const auto ids = test::tiny_models()["prompts"]["short"].get<std::vector<TokenId>>();
  for (const auto& [name, expected] : adapters().items()) {
    const auto model = test::load_tiny(expected["base"]);
    const PeftAdapter adapter = read_adapter(test::kPeftAdapters / name, model->tensors());
    put_into(adapter, model->tensors());
    const std::vector<float> found = logprobs_with(*model, *adapter.adapter, ids);
    ASSERT_EQ(found.size(), expected["logprobs"].size());
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], expected["logprobs"][i].get<double>(), kLogprobs) << name << " at " << i;
    expect_merged(adapter, test::kPeftAdapters / name, model->tensors(), name);
  }
}

TEST(PeftAdapter, IsWrittenAsPeftWroteIt) {
  const test::TemporaryDirectory directory;
  for (const auto& [name, expected] : adapters().items()) {
    if (name == "bf16" || name == "f16" || name == "torch_bin") continue;  // we write f32 safetensors
    const auto model = test::load_tiny(expected["base"]);
    const fs::path reference = test::kPeftAdapters / name, path = directory.path() / name;
    const PeftAdapter adapter = read_adapter(reference, model->tensors());
    put_into(adapter, model->tensors());
    write_adapter(path, adapter.config, *adapter.adapter, model->tensors());
    EXPECT_EQ(read_file(path / "adapter_model.safetensors"), read_file(reference / "adapter_model.safetensors"))
        << name;
    nlohmann::json ours = nlohmann::json::parse(read_file(path / "adapter_config.json"));
    const nlohmann::json theirs = nlohmann::json::parse(read_file(reference / "adapter_config.json"));
    ours["peft_version"] = theirs["peft_version"];
    for (const auto& [key, value] : ours.items()) {
      if (key == "target_modules" || key == "exclude_modules") continue;  // sets: peft leaves them in any order
      EXPECT_EQ(value, theirs.value(key, nlohmann::json("absent"))) << name << ": " << key;
    }
    const PeftAdapter again = read_adapter(path, test::load_tiny(expected["base"])->tensors());
    EXPECT_EQ(again.config.target_modules.suffixes, adapter.config.target_modules.suffixes);
    EXPECT_EQ(again.config.target_modules.expression, adapter.config.target_modules.expression);
  }
}

// What peft's adapter `plain` becomes when its tensors are changed.
class Spoiled {
 public:
  explicit Spoiled(const std::string& name) : file_(SafetensorsFile::open(file(test::kPeftAdapters / name))) {
    for (const SafetensorsFile::Tensor& one : file_->tensors()) {
      tensors.push_back(
          {one.name, one.dtype, one.shape, [bytes = one.bytes](const TensorToWrite::Sink& sink) { sink(bytes); }});
    }
    config = nlohmann::json::parse(read_file(test::kPeftAdapters / name / "adapter_config.json"));
  }
  static fs::path file(const fs::path& folder) { return folder / "adapter_model.safetensors"; }

  std::string refusal(ModelTensors model) const {
    const test::TemporaryDirectory directory;
    write_safetensors(file(directory.path()), tensors);
    write_file_atomic(directory.path() / "adapter_config.json", config.dump());
    return test::refusal([&] { read_adapter(directory.path(), model); });
  }

  std::vector<TensorToWrite> tensors;  // of plain: k.A, k.B, v.A, v.B of layer 0, then of layer 1
  nlohmann::json config;

 private:
  std::shared_ptr<const SafetensorsFile> file_;
};

TEST(PeftAdapter, RefusesWhatDoesNotFitWithCounts) {
  const auto model = test::load_tiny("none");
  const ModelTensors tensors = model->tensors();
  const auto refusal = [&](const auto& spoil) {
    Spoiled spoiled("plain");
    spoil(spoiled);
    return spoiled.refusal(tensors);
  };
  EXPECT_EQ(refusal([](Spoiled&) {}), "");
  EXPECT_THAT(refusal([](Spoiled& s) { s.tensors[1].name.insert(30, "x"), s.tensors[4].name = "lora"; }),
              AllOf(HasSubstr("adapter does not fit the model: 2 of 8 tensors name no linear map"),
                    HasSubstr("2 are missing (first:"), HasSubstr("it was trained on 'tiny'")));
  EXPECT_THAT(refusal([](Spoiled& s) { s.config["r"] = 4; }),
              AllOf(HasSubstr("8 of 8 tensors have another shape (first: "), HasSubstr("is [3, 64], must be [4, 64]")));
  EXPECT_THAT(refusal([](Spoiled& s) {
                s.tensors[0].shape = {64, 3};
              }),
              HasSubstr("1 of 8 tensors have another shape"));
  EXPECT_THAT(refusal([](Spoiled& s) { s.tensors[0].shape = {3, 8, 8}; }), HasSubstr("is [3, 8, 8]"));
  EXPECT_THAT(refusal([](Spoiled& s) { s.config["target_modules"] = {"k_proj"}; }),
              HasSubstr("4 of 8 tensors are not called for by adapter_config.json"));
  EXPECT_THAT(refusal([](Spoiled& s) { s.config["target_modules"].push_back("q_proj"); }),
              HasSubstr("4 are missing (first: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight)"));
  EXPECT_THAT(refusal([](Spoiled& s) { s.config["use_dora"] = true; }), HasSubstr("4 are missing"));
  EXPECT_THAT(refusal([](Spoiled& s) { s.config["modules_to_save"] = {"lm_head"}; }),
              HasSubstr("1 are missing (first: base_model.model.lm_head.weight)"));
  EXPECT_THAT(refusal([](Spoiled& s) { s.tensors.clear(), s.config["target_modules"] = {"nothing"}; }),
              HasSubstr("any tensor"));
  EXPECT_THAT(refusal([](Spoiled& s) { s.tensors[0].dtype = "I32"; }), HasSubstr("is I32, must be F32, F16 or BF16"));
  EXPECT_THAT(refusal([](Spoiled& s) {
                s.tensors.push_back(s.tensors[0]);
                s.tensors.back().name.replace(17, 6, "model.language_model.");
              }),
              HasSubstr("1 of 9 tensors come twice"));
  EXPECT_THAT(Spoiled("plain").refusal(test::load_tiny("gpt2")->tensors()), HasSubstr("8 of 8 tensors name no linear"));
  EXPECT_THAT(test::refusal([&] { read_adapter(test::kPeftAdapters, tensors); }), HasSubstr("adapter_config.json"));
}

TEST(PeftAdapter, FindsATextModelInsideAMultimodalOne) {
  const auto model = test::load_tiny("none");
  for (const char* prefix : {"model.language_model.", "language_model.model."}) {  // transformers 5, transformers 4
    Spoiled other("plain");
    for (TensorToWrite& tensor : other.tensors) tensor.name.replace(17, 6, prefix);
    EXPECT_EQ(other.refusal(model->tensors()), "") << prefix;
  }
}

TEST(PeftAdapter, SavedTensorsAreTurnedAndShiftedAsTheCheckpointHasThem) {
  AdapterConfig config;
  config.fan_in_fan_out = true;
  ModelTensor conv{.name = "c_attn.weight", .weight = Weight::from_values(2, 3, {1, 2, 3, 4, 5, 6}), .linear = 0};
  const Tensor there = to_checkpoint(config, conv, frozen_values(conv));
  EXPECT_EQ(there.shape(), (Shape{3, 2}));
  EXPECT_EQ(there.row(1)[0], 2);
  EXPECT_EQ(from_checkpoint(config, conv, there).row(1)[0], 4);
  ModelTensor norm{.name = "norm.weight", .value = Tensor::from({1}, {1.5}), .offset = 1};
  EXPECT_EQ(to_checkpoint(config, norm, norm.value).data()[0], 0.5);
  EXPECT_EQ(from_checkpoint(config, norm, Tensor::from({1}, {0.5})).data()[0], 1.5);
}

TEST(PeftAdapter, BitFlipsAreReadOrRefusedInOneLine) {
  const auto model = test::load_tiny("none");
  const test::TemporaryDirectory directory;
  for (const char* name : {"adapter_model.safetensors", "adapter_config.json"}) {
    for (const char* file : {"adapter_model.safetensors", "adapter_config.json"})
      write_file_atomic(directory.path() / file, read_file(test::kPeftAdapters / "dora" / file));
    const std::string image = read_file(directory.path() / name);
    for (int seed = 0; seed < 200; ++seed) {
      Random random(seed);
      std::string spoiled = image;
      for (uint64_t flips = 1 + random.below(2); flips > 0; --flips)
        spoiled[random.below(std::min<size_t>(image.size(), 2000))] ^= static_cast<char>(1 << random.below(8));
      write_file_atomic(directory.path() / name, spoiled);
      try {
        read_adapter(directory.path(), model->tensors());
      } catch (const Error& error) {
        EXPECT_NE(error.code(), ErrorCode::kInternal) << error.what();
        EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
      }
    }
  }
}

// Without the model: what its config alone can tell.
TEST(PeftAdapter, IsCheckedAgainstAConfig) {
  const auto check = [](const std::string& adapter, const std::string& model) {
    const test::TemporaryDirectory directory;
    test::make_directory(test::tiny_model(model), directory.path());
    return test::refusal(
        [&] { check_adapter(test::kPeftAdapters / adapter, read_model_config(directory.path() / "config.json")); });
  };
  for (const char* name : {"plain", "dora", "all_linear", "layers", "regex", "pissa", "torch_bin"})
    EXPECT_EQ(check(name, "none"), "") << name;
  EXPECT_EQ(check("gpt2", "gpt2"), "");
  EXPECT_THAT(check("saved", "gpt2"), HasSubstr("serve it as the model's only adapter"));
  EXPECT_THAT(check("nothing", "none"), HasSubstr("nothing"));
  const auto changed = [&](const char* key, int64_t value) {
    const test::TemporaryDirectory directory;
    test::make_directory(test::tiny_model("none"), directory.path());
    ModelConfig config = read_model_config(directory.path() / "config.json");
    if (std::string_view(key) == "layers")
      config.num_hidden_layers = static_cast<int>(value);
    else
      config.hidden_size = value;
    return test::refusal([&] { check_adapter(test::kPeftAdapters / "plain", config); });
  };
  EXPECT_THAT(changed("layers", 1), HasSubstr("adapter does not fit the model: 'base_model.model.model.layers.1."));
  EXPECT_THAT(changed("hidden", 24), HasSubstr("must be [rank, 24]"));
}

}  // namespace
}  // namespace hearth
