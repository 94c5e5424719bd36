// dataset_info.json: which files a dataset's name stands for and how its rows are to be read. A `columns` or `tags`
// block replaces all defaults: what it does not list is none. Source: LLaMA-Factory's data/parser.py; formatting trl,
// openai_chat and openai's preference lines are hearth's own, with TRL's and OpenAI's names for defaults.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace hearth {

inline constexpr std::string_view kDatasetInfo = "dataset_info.json";

// kOpenaiPreference: openai with ranking and without columns of its own, as OpenAI's preference fine-tuning has it.
// kOpenaiChat: the lines of its supervised fine-tuning, where kOpenai is what LLaMA-Factory reads of them.
enum class Formatting { kAlpaca, kSharegpt, kOpenai, kOpenaiPreference, kOpenaiChat, kTrl };
constexpr bool is_openais_own(Formatting formatting) {
  return formatting == Formatting::kOpenaiChat || formatting == Formatting::kOpenaiPreference;
}

// As dataset_info.json spells it.
std::string_view name_of(Formatting formatting);

// Names of the columns of a file; empty: none.
struct DatasetColumns {
  std::string prompt = "instruction", query = "input", response = "output", history = {};
  std::string messages = "conversations";
  std::string system = {}, tools = {}, images = {}, videos = {}, audios = {};
  std::string chosen = {}, rejected = {}, kto_tag = {};
};

// How messages name their parts and their writers; empty: none.
struct DatasetTags {
  std::string role_tag = "from", content_tag = "value";
  std::string user_tag = "human", assistant_tag = "gpt", observation_tag = "observation";
  std::string function_tag = "function_call", system_tag = "system";
};

// How OpenAI's lines do.
inline DatasetTags openai_tags() {
  return {.role_tag = "role",
          .content_tag = "content",
          .user_tag = "user",
          .assistant_tag = "assistant",
          .observation_tag = "tool",
          .function_tag = {},
          .system_tag = "system"};
}

struct DatasetInfo {
  std::string name;
  std::vector<std::filesystem::path> files;  // of one type, sorted
  Formatting formatting = Formatting::kAlpaca;
  bool ranking = false;
  bool has_implicit_prompts = false;  // of trl: the first row has none, so no row may have one
  std::optional<int64_t> num_samples;
  DatasetColumns columns;  // of formatting trl those that its first row has, which says what type of dataset it is
  DatasetTags tags;

  // The columns that the formatting reads, which the file must have. Each with its key in dataset_info.json.
  struct NeededColumn {
    const char* key;
    std::string column;
  };
  std::vector<NeededColumn> needed_columns() const;
};

// The datasets of these names, in order; a name given twice counts once. Throws kNotFound for a name or a file that is
// not there, kInvalidArgument for what dataset_info.json must not say and for data that is elsewhere than on this
// machine.
std::vector<DatasetInfo> read_dataset_info(const std::filesystem::path& dataset_dir,
                                           std::span<const std::string> names);

// An entry that may not be usable.
struct ListedDataset {
  DatasetInfo info;       // as much of it as could be read
  std::string file_name;  // as the entry says, or where else its data is; empty: it says neither
  std::string problem;    // why read_dataset_info refuses it; empty: it does not
};

// All entries of the file, by name. Throws kNotFound where there is none, kInvalidArgument for what is no JSON object.
std::vector<ListedDataset> list_datasets(const std::filesystem::path& dataset_dir);

// An entry that is in no file yet, of data in `dataset_dir`. Throws as read_dataset_info does.
DatasetInfo read_dataset_entry(const std::string& name, const nlohmann::json& entry,
                               const std::filesystem::path& dataset_dir);

}  // namespace hearth
