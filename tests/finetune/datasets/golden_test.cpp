// Against LLaMA-Factory's own loader, converters and mixing, and numpy (tests/golden/make_llamafactory_datasets.py).
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/datasets/arrow_rows.h"
#include "finetune/datasets/convert.h"
#include "finetune/datasets/load_examples.h"
#include "finetune/datasets/numpy_random.h"
#include "finetune/datasets/rows.h"
#include "runtime/base/file.h"
#include "tests/support/sha256.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;
const std::filesystem::path kData = "tests/golden/datasets", kShared = "../shared/data";

Json golden(const std::string& name) { return Json::parse(read_file(kData / "golden" / name)); }

Json as_json(const std::vector<SlotMessage>& messages) {
  static const char* const kRoles[] = {"user", "assistant", "function", "observation"};
  Json out = Json::array();
  for (const SlotMessage& message : messages)
    out.push_back(Json::array({kRoles[static_cast<size_t>(message.role)], message.content}));
  return out;
}

Json as_json(const Aligned& aligned) {
  if (!aligned.dropped.empty()) return "dropped";
  const Example& e = aligned.example;
  Json out = Json::array({as_json(e.prompt), as_json(e.response), e.system, e.tools});
  for (const auto& media : {e.images, e.videos, e.audios}) out.push_back(Json(media));
  return out;
}

std::vector<Json> aligned_rows(const std::filesystem::path& directory, const std::string& name) {
  const DatasetInfo info = read_dataset_info(directory, std::vector{name}).front();
  check_columns(info);
  std::vector<Json> out;
  Row row;
  for (const auto reader = open_rows(info.files); reader->next(row);)
    out.push_back(as_json(align(row, info, directory)));
  return out;
}

TEST(Datasets, RowsAreAlignedAsTheReferenceDoes) {
  const Json expected = golden("aligned.json");
  bool skips = false;
  for (const auto& [name, rows] : expected.items()) {
    const bool needs_arrow = name.find("parquet") != name.npos || name.find("arrow") != name.npos;
    if (needs_arrow && !has_arrow_module()) {
      skips = true;
      continue;
    }
    EXPECT_EQ(Json(aligned_rows(kData, name)), rows) << name;
  }
  if (skips) GTEST_SKIP() << "this build has no Apache Arrow: ./dev test fetches it";
}

TEST(Datasets, SharedDataIsAlignedAsTheReferenceDoes) {
  if (!std::filesystem::exists(kShared)) GTEST_SKIP() << "the data sets are not ours to commit";
  const Json sets = golden("shared.json");
  for (const auto& [name, expected] : sets.items()) {
    std::string text;
    const std::vector<Json> rows = aligned_rows(kShared, name);
    for (const Json& row : rows) text += row.dump() + "\n";
    EXPECT_EQ(rows.size(), expected["rows"].get<size_t>()) << name;
    EXPECT_EQ(test::sha256(text), expected["sha256"].get<std::string>()) << name;
  }
}

DataSpec spec_of(const Json& job) {
  static const std::map<std::string, MixStrategy> kStrategies = {{"concat", MixStrategy::kConcat},
                                                                 {"interleave_under", MixStrategy::kInterleaveUnder},
                                                                 {"interleave_over", MixStrategy::kInterleaveOver},
                                                                 {"interleave_once", MixStrategy::kInterleaveOnce}};
  DataSpec spec;
  spec.dataset_dir = kData;
  spec.dataset = job["dataset"].get<std::vector<std::string>>();
  if (job.contains("eval_dataset")) spec.eval_dataset = job["eval_dataset"].get<std::vector<std::string>>();
  if (job.contains("interleave_probs")) spec.interleave_probs = job["interleave_probs"].get<std::vector<double>>();
  if (job.contains("max_samples")) spec.max_samples = job["max_samples"].get<int64_t>();
  spec.mix_strategy = kStrategies.at(job.value("mix_strategy", "concat"));
  spec.val_size = job.value("val_size", 0.0);
  spec.eval_on_each_dataset = job.value("eval_on_each_dataset", false);
  spec.streaming = job.value("streaming", false);
  spec.buffer_size = job.value("buffer_size", 16384);
  return spec;
}

std::vector<std::string> questions(const std::vector<Example>& examples) {
  std::vector<std::string> out;
  out.reserve(examples.size());
  for (const Example& example : examples) out.push_back(example.prompt.back().content);
  return out;
}

std::vector<std::string> questions(ExampleStream& stream, int64_t epoch) {
  std::vector<std::string> out;
  stream.begin(epoch);
  for (Example example; stream.next(example);) out.push_back(example.prompt.back().content);
  return out;
}

TEST(Datasets, JobsTakeMixAndHoldOutTheReferencesRows) {
  for (const Json& expected : golden("loads.json")) {
    const Json& job = expected["job"];
    const ExampleSets sets = load_examples(spec_of(job), {.seed = job.value("seed", int64_t{42})});
    const std::vector<std::string> train = sets.stream ? questions(*sets.stream, 0) : questions(sets.train);
    EXPECT_EQ(Json(train), expected["train"]) << job;
    Json eval = Json::object();
    for (const NamedExamples& named : sets.eval) eval[named.name] = questions(named.examples);
    EXPECT_EQ(eval, expected["eval"]) << job;
    EXPECT_EQ(sets.dropped.count, 0);
  }
}

TEST(Datasets, AKtoJobHasEveryTaggedRowOfTheSharedData) {
  if (!std::filesystem::exists(kShared)) GTEST_SKIP() << "the data sets are not ours to commit";
  DataSpec spec;
  spec.dataset_dir = kShared;
  spec.dataset = {"kto_en_demo"};
  const ExampleSets sets = load_examples(spec, {.stage = Stage::kKto});
  ASSERT_EQ(sets.train.size(), 300u);
  for (const Example& example : sets.train) {
    ASSERT_EQ(example.response.size(), 2u) << example.place;
    EXPECT_NE(example.response[0].content.empty(), example.response[1].content.empty()) << example.place;
  }
}

TEST(Datasets, DrawsAreNumpys) {
  const Json expected = golden("numpy.json");
  for (const Json& values : expected["generator"]) {
    NumpyGenerator random(values["seed"].get<uint64_t>());
    EXPECT_EQ(Json(random.permutation(17)), values["permutation"]);
    const std::vector<int64_t> bounds = {1, 2, 3, 1000, (int64_t{1} << 31) + 1, int64_t{1} << 32};
    for (size_t i = 0; i < bounds.size(); ++i) EXPECT_EQ(random.below(bounds[i]), values["below"][i]) << bounds[i];
    for (const Json& choice : values["choice"]) EXPECT_EQ(random.choice(std::vector{0.1, 0.6, 0.3}), choice);
    for (const Json& uniform : values["random"]) EXPECT_EQ(random.random(), uniform.get<double>());
  }
  for (const Json& values : expected["state"]) {
    NumpyRandomState random(values["seed"].get<uint32_t>());
    EXPECT_EQ(Json(random.permutation(17)), values["permutation"]);
    const std::vector<int64_t> bounds = {1, 2, 5, 1000, (int64_t{1} << 31) + 1};
    for (size_t i = 0; i < bounds.size(); ++i) EXPECT_EQ(random.below(bounds[i]), values["choice"][i]) << bounds[i];
  }
}

TEST(Datasets, AnEpochOfAStreamIsAnotherOrderOfTheSameRowsWithoutThoseHeldOut) {
  DataSpec spec;
  spec.dataset_dir = kData;
  spec.dataset = {"many"};
  spec.streaming = true;
  spec.buffer_size = 8;
  spec.val_size = 3;
  const ExampleSets sets = load_examples(spec, {});
  const std::vector<std::string> first = questions(*sets.stream, 0), second = questions(*sets.stream, 1);
  EXPECT_NE(first, second);
  EXPECT_THAT(second, testing::UnorderedElementsAreArray(first));
  EXPECT_EQ(questions(*sets.stream, 1), second);
  EXPECT_EQ(first.size(), 37u);
  for (const std::string& held_out : questions(sets.eval.front().examples))
    EXPECT_THAT(second, testing::Not(testing::Contains(held_out)));
}

TEST(Datasets, StreamsMixAsTheirFilesDo) {
  DataSpec spec;
  spec.dataset_dir = kData;
  spec.dataset = {"few", "folder"};
  spec.streaming = true;
  spec.buffer_size = 1;  // no shuffling
  const auto order = [&](MixStrategy strategy) {
    spec.mix_strategy = strategy;
    return fmt::format("{}", fmt::join(questions(*load_examples(spec, {}).stream, 0), " "));
  };
  EXPECT_EQ(order(MixStrategy::kConcat), "f0 f1 f2 f3 f4 f5 f6 a0 a1 b0 b1");
  EXPECT_EQ(order(MixStrategy::kInterleaveUnder), "f0 a0 f1 a1 f2 b0 f3 b1");
  EXPECT_EQ(order(MixStrategy::kInterleaveOver), "f0 a0 f1 a1 f2 b0 f3 b1 f4 a0 f5 a1 f6");
  EXPECT_EQ(order(MixStrategy::kInterleaveOnce), "f0 a0 f1 a1 f2 b0 f3 b1 f4 f5 f6");
}

}  // namespace
}  // namespace hearth
