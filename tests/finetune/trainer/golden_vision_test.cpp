// Ten steps of LLaMA-Factory on tiny models that see (tests/golden/make_vision_training.py), from its own keys, data
// and pictures: the ids and labels that it makes of them, and all that it logs of every step within 1e-3.
#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/datasets/load_examples.h"
#include "finetune/encoding/encode_examples.h"
#include "finetune/encoding/tokenized_data.h"
#include "finetune/spec/load_train_spec.h"
#include "models/adapters/peft_adapter.h"
#include "runtime/io/checkpoint_file.h"
#include "tests/finetune/trainer/run_trainer.h"
#include "tests/models/vision/tiny_vision.h"
#include "tests/support/error_of.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kTraining = "tests/golden/vision_training";

// A tiny model and the data beside it, as a user has them.
class VisionJob {
 public:
  VisionJob(const std::string& model, nlohmann::json keys) {
    fs::create_directory(place());
    test::make_vision_directory(test::tiny_vision_model(model), place());
    fs::copy(kTraining / "data", data());
    for (const auto& [name, content] : test::tiny_vision()["pictures"].items())
      write_file_atomic(data() / (name + ".png"), *decode_base64(content.get<std::string>()));
    keys["model_name_or_path"] = place().string();
    keys["dataset_dir"] = data().string();
    keys["output_dir"] = (directory_.path() / "out").string();
    spec = parse_train_spec(keys.dump(), "golden");
    loaded = load_model(place(), {.compute_dtype = ComputeDtype::kFloat32, .chat = spec.chat});
  }

  EncodedData encode() const {
    const ExampleSets sets = load_examples(spec.data, {.stage = spec.stage, .seed = spec.training.seed});
    return encode_examples(loaded, sets.train, spec.data, spec.stage);
  }
  fs::path place() const { return directory_.path() / "model"; }
  fs::path data() const { return directory_.path() / "data"; }

  TrainSpec spec;
  LoadedModel loaded;

 private:
  test::TemporaryDirectory directory_;
};

nlohmann::json golden_run(const std::string& name) {
  return nlohmann::json::parse(read_file(kTraining / (name + ".json")));
}

nlohmann::json keys_of(const nlohmann::json& run) {
  nlohmann::json keys = run["settings"];
  if (!run["start"].is_null()) keys["adapter_name_or_path"] = (kTraining / run["start"].get<std::string>()).string();
  if (keys["stage"] == "dpo") keys["precompute_ref_log_probs"] = false;
  return keys;
}

class GoldenVisionTraining : public testing::TestWithParam<const char*> {};

TEST_P(GoldenVisionTraining, EqualsLlamaFactory) {
  const nlohmann::json run = golden_run(GetParam());
  VisionJob job(run["model"], keys_of(run));
  const EncodedData encoded = job.encode();
  ASSERT_TRUE(encoded.dropped.empty()) << encoded.dropped[0].reason;
  ASSERT_EQ(encoded.examples.size(), run["examples"].size());
  for (size_t i = 0; i < encoded.examples.size(); ++i) {
    EXPECT_EQ(nlohmann::json(encoded.examples[i].input_ids), run["examples"][i]["input_ids"]) << i;
    EXPECT_EQ(nlohmann::json(encoded.examples[i].labels), run["examples"][i]["labels"]) << i;
  }
  const std::unique_ptr<Trainable> trainable = make_trainable(job.spec, job.loaded);
  test::TrainerRun ran(job.spec, job.loaded, *trainable, encoded.examples);
  ran.trainer.train();
  const nlohmann::json& steps = run["steps"];
  ASSERT_EQ(ran.monitor.records.size(), steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    for (size_t m = 0; m < run["metrics"].size(); ++m) {
      const std::string name = run["metrics"][m];
      const double expected = steps[i][m];
      EXPECT_NEAR(ran.monitor.records[i].at(name).get<double>(), expected, 1e-3 * std::abs(expected) + 1e-6)
          << "step " << i + 1 << ": " << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sft, GoldenVisionTraining,
                         testing::Values("llava_lora", "llava_full", "llava_language", "llava_projector",
                                         "llava_lora_everywhere", "siglip_limits", "llava_next_lora", "llava_next_full",
                                         "qwen2_vl_lora", "qwen2_vl_full", "qwen2_5_vl_lora_everywhere"));
INSTANTIATE_TEST_SUITE_P(Dpo, GoldenVisionTraining, testing::Values("llava_dpo", "llava_dpo_full", "qwen2_vl_dpo"));

const nlohmann::json kLora = {{"stage", "sft"},    {"do_train", true},     {"finetuning_type", "lora"},
                              {"dataset", "rows"}, {"template", "llava"},  {"lora_rank", 2},
                              {"max_steps", 2},    {"save_strategy", "no"}};

nlohmann::json with(nlohmann::json keys, const nlohmann::json& more) {
  keys.update(more);
  return keys;
}

TEST(VisionTraining, AnImageIsWholeOrItsExampleIsLeftOut) {
  const VisionJob whole("llava", kLora);
  const EncodedData all = whole.encode();
  ASSERT_EQ(all.examples.size(), 5u);
  const auto longest = std::ranges::max(all.examples, {}, [](const auto& e) { return e.input_ids.size(); });
  const auto needed = static_cast<int>(longest.input_ids.size());
  const EncodedData fits = VisionJob("llava", with(kLora, {{"cutoff_len", needed}})).encode();
  EXPECT_EQ(fits.examples.size(), 5u);
  const EncodedData cut = VisionJob("llava", with(kLora, {{"cutoff_len", 110}})).encode();
  for (const TokenizedExample& example : cut.examples)
    for (const ExamplePicture& one : example.pictures) EXPECT_LE(one.end(), static_cast<int>(example.input_ids.size()));
  ASSERT_FALSE(cut.dropped.empty());
  EXPECT_THAT(cut.dropped[0].reason, HasSubstr(fmt::format("needs cutoff_len: {}", all.examples[0].input_ids.size())));
  EXPECT_EQ(cut.examples.size() + cut.dropped.size(), 5u);
}

TEST(VisionTraining, RefusesWhatHasNoPlaceOrNoFile) {
  VisionJob job("llava", kLora);
  std::string rows = read_file(job.data() / "rows.json");
  rows.replace(rows.find("square.png"), 10, "absent.png");
  rows.replace(rows.find("\"No picture here.\""), 18, "\"No <image> here.\"");
  write_file_atomic(job.data() / "rows.json", rows);
  const ExampleSets sets = load_examples(job.spec.data, {.stage = job.spec.stage});
  EXPECT_EQ(sets.dropped.count + static_cast<int64_t>(sets.train.size()), 5);
  const EncodedData encoded = encode_examples(job.loaded, sets.train, job.spec.data, job.spec.stage);
  ASSERT_FALSE(encoded.dropped.empty());
  EXPECT_THAT(encoded.dropped[0].reason, HasSubstr("absent.png"));
  EXPECT_THAT(VisionJob("llava", with(kLora, {{"template", "vicuna"}})).encode().dropped.at(0).reason,
              HasSubstr("template 'vicuna' is not for images"));
  EXPECT_THAT(VisionJob("qwen2_vl", kLora).encode().dropped.at(0).reason,
              HasSubstr("writes an image as <image>, which is not what the model reads"));
}

TEST(VisionTraining, AChangedPictureStopsTheRun) {
  VisionJob job("llava", kLora);
  const EncodedData encoded = job.encode();
  fs::copy_file(job.data() / "square.png", job.data() / "landscape.png", fs::copy_options::overwrite_existing);
  const auto trainable = make_trainable(job.spec, job.loaded);
  test::TrainerRun ran(job.spec, job.loaded, *trainable, encoded.examples);
  EXPECT_THAT(test::error_of([&] { ran.trainer.train(); }), HasSubstr("landscape.png: is not the picture that it was"));
}

// Names of peft's files on transformers 5: those of an adapter that peft made.
TEST(VisionTraining, AdaptersNameTheModulesOfTheWholeModel) {
  const VisionJob job("llava", kLora);
  const auto trainable = make_trainable(job.spec, job.loaded);
  const fs::path out = job.data() / "adapter";
  fs::create_directory(out);
  trainable->save(out);
  const auto names = [](const fs::path& directory) {
    std::vector<std::string> found;
    for (const auto& tensor : open_adapter_tensors(directory)->tensors()) found.push_back(tensor.name);
    std::ranges::sort(found);
    return found;
  };
  EXPECT_EQ(names(out), names(kTraining / "llava_lora_start"));
  const AdapterConfig config = read_adapter_config(out);
  EXPECT_THAT(config.target_modules.suffixes, testing::Contains("model.language_model.layers.0.self_attn.q_proj"));
  read_adapter(out, job.loaded.model->tensors());
}

TEST(VisionTraining, FrozenPartsHaveNoAdapterAndNoGradient) {
  const auto trained = [](const nlohmann::json& more) {
    const VisionJob job("llava", with(kLora, more));
    const auto trainable = make_trainable(job.spec, job.loaded);
    std::set<ModelPart> parts;
    for (const Parameter* parameter : trainable->parameters())
      parts.insert(part_of(job.loaded.pictures->config(), parameter->name));
    return parts;
  };
  using enum ModelPart;
  EXPECT_THAT(trained({}), testing::ElementsAre(kLanguage));
  EXPECT_THAT(trained({{"freeze_vision_tower", false}}), testing::ElementsAre(kTower, kLanguage));
  EXPECT_THAT(trained({{"finetuning_type", "full"}}), testing::ElementsAre(kLanguage));
  EXPECT_THAT(
      trained({{"finetuning_type", "full"}, {"freeze_language_model", true}, {"freeze_multi_modal_projector", false}}),
      testing::ElementsAre(kProjector));
  EXPECT_THAT(
      trained({{"finetuning_type", "freeze"}, {"freeze_trainable_layers", 1}, {"freeze_multi_modal_projector", false}}),
      testing::ElementsAre(kProjector, kLanguage));
  EXPECT_THAT(test::error_of([&] { trained({{"freeze_language_model", true}}); }), HasSubstr("is all frozen"));
  EXPECT_THAT(test::error_of([&] { trained({{"lora_target", "q_porj"}}); }), HasSubstr("did you mean 'q_proj'"));
}

// What full training writes is the model that it trained, the tower's convolution among it.
TEST(VisionTraining, WritesACheckpointOfTheWholeModel) {
  for (const char* model : {"llava_next", "qwen2_vl"}) {
    nlohmann::json keys = golden_run(std::string(model) + "_full")["settings"];
    VisionJob job(model, keys);
    const EncodedData encoded = job.encode();
    const auto trainable = make_trainable(job.spec, job.loaded);
    test::TrainerRun ran(job.spec, job.loaded, *trainable, encoded.examples);
    ran.trainer.train();
    const fs::path out = job.data() / "trained";
    fs::create_directory(out);
    trainable->save(out);
    const LoadedModel again = load_model(out, {.compute_dtype = ComputeDtype::kFloat32});
    const TokenizedExample* example = &encoded.examples[1];
    Tensor hidden[2];
    for (int i = 0; const LoadedModel* loaded : {&std::as_const(job.loaded), &again}) {
      PictureFeatures pictures(*loaded, job.spec.data.pixel_limits, 0);
      TrainingBatch batch = collate({&example, 1}, nullptr);
      pictures.see(batch);
      hidden[i++] = loaded->model->forward(batch.batch);
    }
    for (size_t i = 0; i < hidden[0].size(); ++i) ASSERT_NEAR(hidden[0].data()[i], hidden[1].data()[i], 1e-5) << model;
  }
}

// Kept features change nothing, and there is room for some, none or all.
TEST(VisionTraining, KeptFeaturesAreTheSame) {
  const VisionJob job("qwen2_vl", with(kLora, {{"template", "qwen2_vl"}}));
  const EncodedData encoded = job.encode();
  std::vector<Tensor> first;
  for (const int64_t most_bytes : {0, 8192, 1 << 20}) {
    PictureFeatures pictures(job.loaded, job.spec.data.pixel_limits, most_bytes);
    for (int round = 0; round < 2; ++round) {
      for (size_t i = 0, seen = 0; i < encoded.examples.size(); ++i) {
        const TokenizedExample* example = &encoded.examples[i];
        TrainingBatch batch = collate({&example, 1}, nullptr);
        pictures.see(batch);
        if (batch.pictures.empty()) continue;
        const Tensor& values = batch.batch.embedded.values;
        if (first.size() == seen) first.push_back(values);
        EXPECT_TRUE(std::equal(values.data(), values.data() + values.size(), first[seen++].data()));
      }
    }
  }
  EXPECT_EQ(first.size(), 4u);
}

}  // namespace
}  // namespace hearth
