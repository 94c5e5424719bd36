// The table of keys against LLaMA-Factory's and transformers' own argument classes, in
// tests/golden/llamafactory/keys.json, which tests/golden/make_llamafactory_keys.py makes.
#include "finetune/spec/known_keys.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/spec/load_train_spec.h"
#include "finetune/spec/spec_fields.h"
#include "finetune/spec/train_spec.h"
#include "finetune/spec/train_spec_text.h"
#include "finetune/spec/yaml_file.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

nlohmann::json reference_keys(const char* of = "keys") {
  return nlohmann::json::parse(read_file("tests/golden/llamafactory/keys.json")).at(of);
}

const KnownKey* find(std::string_view name) {
  for (const KnownKey& key : known_keys())
    if (key.name == name) return &key;
  return nullptr;
}

TEST(KnownKeys, NamesAreUnique) {
  std::set<std::string_view> names;
  for (const KnownKey& key : known_keys()) EXPECT_TRUE(names.insert(key.name).second) << key.name;
}

TEST(KnownKeys, EveryKeyOfTheReferenceIsKnown) {
  const nlohmann::json keys = reference_keys();
  ASSERT_GT(keys.size(), 300u);
  for (const auto& [name, key] : keys.items()) EXPECT_NE(find(name), nullptr) << name;
  const nlohmann::json of_evaluation = reference_keys("evaluation_keys");
  for (const auto& [name, key] : of_evaluation.items()) {
    ASSERT_NE(find(name), nullptr) << name;
    EXPECT_EQ(find(name)->multiple_choice, name == "download_mode" ? KeyUse::kNoEffect : KeyUse::kUsed) << name;
  }
}

TEST(KnownKeys, WhatTrainingUsesIsWhatTheReaderHas) {
  TrainSpec spec;
  SpecAliases aliases;
  std::set<std::string_view> read, used;
  for (const auto& fields : {result_fields(spec), run_fields(spec), aliases.fields(spec)})
    for (const SpecField& field : fields) EXPECT_TRUE(read.insert(field.key).second) << field.key;
  for (const KnownKey& key : known_keys())
    if (key.training == KeyUse::kUsed) used.insert(key.name);
  EXPECT_EQ(read, used);
}

// Not as in the reference: it declares them for what its trainer fills in later.
const std::set<std::string_view> kFilledInLater = {"media_dir", "lora_alpha", "metric_for_best_model"};
// Unset here: serving has defaults of its own, and predictions are greedy where nothing is asked.
const std::set<std::string_view> kOfGeneration = {"do_sample", "temperature",        "top_p",
                                                  "top_k",     "repetition_penalty", "max_new_tokens"};

TEST(KnownKeys, DefaultsAreTheReferences) {
  TrainSpec spec;
  int compared = 0;
  const nlohmann::json keys = reference_keys();
  for (const auto& fields : {result_fields(spec), run_fields(spec)})
    for (const SpecField& field : fields) {
      const std::string name(field.key);
      if (!keys.contains(name) || kFilledInLater.contains(field.key) || kOfGeneration.contains(field.key)) continue;
      const nlohmann::json& value = keys.at(name).at("default");
      const YAML::Node ours = YAML::Load(field.text());
      ++compared;
      if (value.is_null()) {
        EXPECT_TRUE(ours.IsNull()) << name << ": " << field.text();
      } else if (value.is_number()) {
        EXPECT_EQ(ours.as<double>(), value.get<double>()) << name;
      } else if (value.is_boolean()) {
        EXPECT_EQ(ours.as<bool>(), value.get<bool>()) << name;
      } else {
        const YAML::Node one = ours.IsSequence() && ours.size() == 1 ? ours[0] : ours;
        EXPECT_EQ(one.Scalar(), value.get<std::string>()) << name;
      }
    }
  EXPECT_GT(compared, 80);
}

// A file that states every default of the reference asks for nothing that is refused.
TEST(KnownKeys, EveryDefaultOfTheReferenceIsAccepted) {
  std::string text;
  const nlohmann::json keys = reference_keys();
  for (const auto& [name, key] : keys.items())
    if (name != "model_name_or_path" && name != "output_dir" && name != "do_train" && name != "dataset")
      text += name + ": " + key.at("default").dump() + "\n";
  text += "model_name_or_path: m\noutput_dir: o\ndo_train: true\ndataset: d\n";
  TrainSpec spec = parse_train_spec(text, "t.yaml");
  EXPECT_TRUE(spec.generation.samples());
  spec.generation = {};
  const TrainSpec without =
      parse_train_spec("model_name_or_path: m\noutput_dir: o\ndo_train: true\ndataset: d\n", "t.yaml");
  EXPECT_EQ(to_yaml(spec), to_yaml(without));
}

}  // namespace
}  // namespace hearth
