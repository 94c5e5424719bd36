// Pairs through a checkpoint's own chat template have the ids that TRL's DPOTrainer makes of the same rows
// (tests/golden/make_trl_rows.py): by what the template writes for the assistant, and by the slots of a regular one.
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "finetune/datasets/convert.h"
#include "finetune/datasets/rows.h"
#include "finetune/encoding/encode_examples.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

using Json = nlohmann::json;

constexpr std::time_t kNow = 1753533296;  // 2025-07-26, the script's

std::vector<Example> examples_of(const std::string& name) {
  const std::filesystem::path directory = "tests/golden/trl";
  const DatasetInfo info = read_dataset_info(directory, std::vector{name}).front();
  std::vector<Example> out;
  Row row;
  for (const auto reader = open_rows(info.files); reader->next(row);)
    out.push_back(align(row, info, directory).example);
  return out;
}

TEST(TrlIds, PairsHaveTheIdsOfDpoTrainer) {
  const std::filesystem::path golden = "tests/golden";
  const Json cases = Json::parse(read_file(golden / "trl/ids.json"));
  ASSERT_GE(cases.size(), 13u);
  for (const Json& c : cases) {
    const std::string style = c["template"], name = c["data"];
    LoadedModel model;
    model.tokenizer = load_tokenizer(golden / "tokenizers" / c["tokenizer"].get<std::string>());
    model.chat_template = std::make_shared<ChatTemplate>(
        c.contains("text") ? c["text"].get<std::string>() : read_file(golden / "templates/styles" / (style + ".jinja")),
        c["bos_token"].get<std::string>(), c["eos_token"].get<std::string>());
    const EncodedData encoded = encode_examples(model, examples_of(name), {}, Stage::kDpo, kNow);
    SCOPED_TRACE(style + " " + name + ", " + encoded.source);
    EXPECT_EQ(encoded.source.starts_with("slots recovered"), style == "plain");
    for (const DroppedExample& dropped : encoded.dropped) ADD_FAILURE() << dropped.reason;
    ASSERT_EQ(encoded.examples.size(), c["rows"].size());
    for (size_t i = 0; i < encoded.examples.size(); ++i) {
      std::vector<TokenId> ids, labels;
      for (const size_t answer : {1, 2}) {
        const auto prompt = c["rows"][i][0].get<std::vector<TokenId>>();
        const auto completion = c["rows"][i][answer].get<std::vector<TokenId>>();
        ids.insert(ids.end(), prompt.begin(), prompt.end());
        ids.insert(ids.end(), completion.begin(), completion.end());
        labels.insert(labels.end(), prompt.size(), kIgnoredLabel);
        labels.insert(labels.end(), completion.begin(), completion.end());
      }
      EXPECT_EQ(encoded.examples[i].input_ids, ids) << "row " << i;
      EXPECT_EQ(encoded.examples[i].labels, labels) << "row " << i;
    }
  }
}

}  // namespace
}  // namespace hearth
