// Any bytes as a json or jsonl dataset: rows are read, or named with what is wrong; each becomes an example of every
// format, or is refused with a reason. What format they have is told, or refused.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "finetune/datasets/convert.h"
#include "finetune/datasets/find_format.h"
#include "finetune/datasets/json_rows.h"
#include "runtime/base/error.h"

namespace {

using namespace hearth;

void add_reference_formats(std::vector<DatasetInfo>& out) {
  for (const Formatting formatting : {Formatting::kAlpaca, Formatting::kSharegpt, Formatting::kOpenai})
    for (const bool ranking : {false, true}) {
      DatasetInfo info;
      info.formatting = formatting;
      info.ranking = ranking;
      info.columns.history = "history";
      info.columns.system = "system";
      info.columns.tools = "tools";
      info.columns.images = "images";
      info.columns.chosen = "chosen";
      info.columns.rejected = "rejected";
      info.columns.kto_tag = ranking ? "" : "label";
      out.push_back(info);
    }
}

// OpenAI's preference and chat lines, and TRL's rows: preference, unpaired preference, messages.
void add_own_formats(std::vector<DatasetInfo>& out) {
  DatasetInfo info;
  info.tags = {"role", "content", "user", "assistant", "tool", "", "system"};
  info.formatting = Formatting::kOpenaiPreference;
  info.ranking = true;
  info.columns.prompt = "input";
  info.columns.chosen = "preferred_output";
  info.columns.rejected = "non_preferred_output";
  out.push_back(info);
  info.ranking = false;
  info.formatting = Formatting::kOpenaiChat;
  info.columns = {.prompt = "", .query = "", .response = "", .messages = "messages", .tools = "tools"};
  out.push_back(info);
  info.ranking = true;
  info.formatting = Formatting::kTrl;
  info.columns.prompt = "prompt";
  info.columns.chosen = "chosen";
  info.columns.rejected = "rejected";
  info.columns.tools = "tools";
  out.push_back(info);
  info.ranking = false;
  info.columns.messages = "messages";
  out.push_back(info);
  info.columns.messages = "";
  info.columns.response = "completion";
  info.columns.kto_tag = "label";
  out.push_back(info);
}

std::vector<DatasetInfo> every_format() {
  std::vector<DatasetInfo> out;
  add_reference_formats(out);
  add_own_formats(out);
  return out;
}

void tell_format(std::string_view text) {
  try {
    if (!find_format(*open_json_rows(text, "fuzz.json")).contains("formatting")) __builtin_trap();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<DatasetInfo> infos = every_format();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tell_format(text);
  const auto rows = open_json_rows(text, "fuzz.json");
  Row row;
  for (size_t count = 0; rows->next(row); ++count) {
    if (count > size) __builtin_trap();
    for (const DatasetInfo& info : infos) {
      Row copy = row;
      try {
        if (align(copy, info, "/nowhere").example.place.empty()) __builtin_trap();
      } catch (const BadExample& bad) {
        if (bad.reason.empty()) __builtin_trap();
      }
    }
  }
  return 0;
}
