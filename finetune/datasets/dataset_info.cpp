#include "finetune/datasets/dataset_info.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "finetune/datasets/rows.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/nearest_name.h"

namespace hearth {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::array kHubKeys = {"hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"};
constexpr std::array kKeys = {"file_name",       "hf_hub_url",  "ms_hub_url", "om_hub_url", "script_url",
                              "cloud_file_name", "formatting",  "ranking",    "subset",     "split",
                              "folder",          "num_samples", "columns",    "tags"};

struct ColumnKey {
  const char* key;
  std::string DatasetColumns::*column;
};
constexpr ColumnKey kColumnKeys[] = {
    {"prompt", &DatasetColumns::prompt},     {"query", &DatasetColumns::query},
    {"response", &DatasetColumns::response}, {"history", &DatasetColumns::history},
    {"messages", &DatasetColumns::messages}, {"system", &DatasetColumns::system},
    {"tools", &DatasetColumns::tools},       {"images", &DatasetColumns::images},
    {"videos", &DatasetColumns::videos},     {"audios", &DatasetColumns::audios},
    {"chosen", &DatasetColumns::chosen},     {"rejected", &DatasetColumns::rejected},
    {"kto_tag", &DatasetColumns::kto_tag},
};
struct TagKey {
  const char* key;
  std::string DatasetTags::*tag;
};
constexpr TagKey kTagKeys[] = {
    {"role_tag", &DatasetTags::role_tag},
    {"content_tag", &DatasetTags::content_tag},
    {"user_tag", &DatasetTags::user_tag},
    {"assistant_tag", &DatasetTags::assistant_tag},
    {"observation_tag", &DatasetTags::observation_tag},
    {"function_tag", &DatasetTags::function_tag},
    {"system_tag", &DatasetTags::system_tag},
};

// An entry of the file, or a block of it, and what to call it in a message.
struct Block {
  const Json& json;
  std::string where;

  // Null where the key is missing or null.
  const Json* find(const char* key) const {
    const auto found = json.find(key);
    return found == json.end() || found->is_null() ? nullptr : &*found;
  }
  std::string text(const char* key, std::string_view fallback = "") const {
    const Json* value = find(key);
    if (!value) return std::string(fallback);
    if (!value->is_string())
      throw invalid_argument("{}: {} must be a string, found {}", where, key, value->type_name());
    return value->get<std::string>();
  }
  // Other keys than these are allowed, as in the reference, but not one that looks like a slip.
  template <class Keys>
  void check_keys(const Keys& known) const {
    if (!json.is_object()) throw invalid_argument("{} must be an object, found {}", where, json.type_name());
    for (const auto& [key, value] : json.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      if (const std::string meant = did_you_mean(key, known); !meant.empty())
        throw invalid_argument("{}: unknown key '{}'{}", where, key, meant);
    }
  }
};

template <class Row, size_t kSize>
std::vector<std::string_view> keys_of(const Row (&rows)[kSize]) {
  std::vector<std::string_view> keys;
  keys.reserve(kSize);
  for (const Row& row : rows) keys.emplace_back(row.key);
  return keys;
}

bool has_prefix_of_hidden_file(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with(".") || name == kDatasetInfo;
}

std::vector<fs::path> files_of_directory(const fs::path& directory, const std::string& where) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    if (it->is_regular_file(error) && !has_prefix_of_hidden_file(it->path())) files.push_back(it->path());
  if (error) throw unavailable("{}: cannot list {}: {}", where, directory.string(), error.message());
  if (files.empty()) throw not_found("{}: the directory {} has no files", where, directory.string());
  std::sort(files.begin(), files.end());
  return files;
}

void check_types(const std::vector<fs::path>& files, const std::string& where) {
  for (const fs::path& file : files) {
    const std::optional<FileType> type = file_type(file);
    if (!type)
      throw invalid_argument("{}: {} is no data file: its name must end in {}", where, file.string(), kDataExtensions);
    if (type != file_type(files.front()))
      throw invalid_argument("{}: the files of a directory must be of one type, found {} and {}", where,
                             files.front().filename().string(), file.filename().string());
  }
}

// A repository's files when it lies on this machine: those of its folder whose names speak of training, if any do.
std::vector<fs::path> files_of_local_repository(const fs::path& root, const std::string& folder,
                                                const std::string& where) {
  std::vector<fs::path> files;
  for (const fs::path& file : files_of_directory(root / folder, where))
    if (file_type(file)) files.push_back(file);
  if (files.empty())
    throw not_found("{}: {} has no data file; their names end in {}", where, (root / folder).string(), kDataExtensions);
  std::vector<fs::path> train;
  for (const fs::path& file : files)
    if (file.filename().string().find("train") != std::string::npos) train.push_back(file);
  return train.empty() ? files : train;
}

std::vector<fs::path> find_files(const Block& entry, const fs::path& dataset_dir) {
  std::error_code ignored;
  for (const char* key : kHubKeys) {
    if (!entry.find(key)) continue;
    const fs::path place = entry.text(key);
    if (std::string_view(key).ends_with("_hub_url") && fs::is_directory(place, ignored))
      return files_of_local_repository(place, entry.text("folder"), entry.where);
    throw invalid_argument(
        "{}: {} '{}' is not on this machine, and datasets are not downloaded: download it and set file_name to its "
        "file or directory",
        entry.where, key, place.string());
  }
  if (!entry.find("file_name"))
    throw invalid_argument("{} has no file_name: name its file or directory below {}", entry.where,
                           dataset_dir.string());
  const fs::path path = dataset_dir / entry.text("file_name");
  if (fs::is_directory(path, ignored)) return files_of_directory(path, entry.where);
  if (!fs::is_regular_file(path, ignored)) throw not_found("{}: file_name: there is no {}", entry.where, path.string());
  return {path};
}

Formatting formatting_of(const Block& entry) {
  const std::string text = entry.text("formatting", "alpaca");
  if (text == "alpaca") return Formatting::kAlpaca;
  if (text == "sharegpt") return Formatting::kSharegpt;
  if (text == "openai") return Formatting::kOpenai;
  if (text == "openai_chat") return Formatting::kOpenaiChat;
  if (text == "trl") return Formatting::kTrl;
  throw invalid_argument("{}: formatting is '{}'{}; it is alpaca, sharegpt, openai, openai_chat or trl", entry.where,
                         text, did_you_mean(text, std::array{"alpaca", "sharegpt", "openai", "openai_chat", "trl"}));
}

DatasetColumns no_columns() {
  DatasetColumns columns;
  for (const auto& [key, column] : kColumnKeys) columns.*column = {};
  return columns;
}

// OpenAI's names where LLaMA-Factory has none for a formatting.
void set_defaults(DatasetInfo& info, const Block& entry) {
  if (info.formatting == Formatting::kOpenai && info.ranking && !entry.find("columns"))
    info.formatting = Formatting::kOpenaiPreference;
  DatasetColumns columns = no_columns();
  if (info.formatting == Formatting::kOpenaiPreference) {
    columns.prompt = "input";
    columns.chosen = "preferred_output";
    columns.rejected = "non_preferred_output";
  } else if (info.formatting == Formatting::kOpenaiChat) {
    columns.messages = "messages";
    columns.tools = "tools";
  } else if (info.formatting == Formatting::kTrl) {
    columns.prompt = "prompt";
    columns.response = "completion";
    columns.messages = "messages";
    columns.chosen = "chosen";
    columns.rejected = "rejected";
    columns.kto_tag = "label";
    columns.tools = "tools";
  } else {
    return;
  }
  info.columns = columns;
  info.tags = openai_tags();
}

// TRL's rows say themselves of what type they are, all as the first.
void choose_trl_columns(DatasetInfo& info, const Block& entry) {
  const std::unique_ptr<RowReader> reader = open_rows(info.files);
  Row row;
  do {
    if (!reader->next(row)) return;
  } while (!row.problem.empty());
  DatasetColumns& columns = info.columns;
  const auto has = [&](const std::string& column) { return !column.empty() && row.value.contains(column); };
  if (!entry.find("ranking")) info.ranking = has(columns.chosen) || has(columns.rejected);
  if (info.ranking) {
    columns.messages = columns.response = columns.kto_tag = {};
  } else {
    columns.chosen = columns.rejected = {};
    if (has(columns.messages))
      columns.prompt = columns.response = columns.kto_tag = {};
    else
      columns.messages = {};
  }
  if (entry.find("columns")) return;  // what is listed there must be there
  info.has_implicit_prompts = info.ranking && !has(columns.prompt);
  if (info.has_implicit_prompts) columns.prompt = {};
  if (!has(columns.kto_tag)) columns.kto_tag = {};
}

void check_split(const Block& entry) {
  const std::string split = entry.text("split", "train");
  if (split != "train")
    throw invalid_argument(
        "{}: split is '{}', but files have the split train alone: give the other rows a file of their own (max_samples "
        "and num_samples take a part)",
        entry.where, split);
}

// Into `info` part by part, so that what is wrong leaves what was read before.
void read_entry(const Block& entry, const fs::path& dataset_dir, DatasetInfo& info) {
  entry.check_keys(kKeys);
  info.formatting = formatting_of(entry);
  if (const Json* ranking = entry.find("ranking")) {
    if (!ranking->is_boolean())
      throw invalid_argument("{}: ranking must be true or false, found {}", entry.where, ranking->dump());
    info.ranking = ranking->get<bool>();
  }
  if (const Json* number = entry.find("num_samples")) {
    if (!number->is_number_unsigned() || number->get<uint64_t>() < 1 || number->get<uint64_t>() > 1'000'000'000)
      throw invalid_argument("{}: num_samples must be a whole number from 1 to 10^9, found {}", entry.where,
                             number->dump());
    info.num_samples = number->get<int64_t>();
  }
  for (const char* key : {"subset", "folder"}) (void)entry.text(key);  // of repositories alone; checked all the same
  check_split(entry);
  if (info.ranking && info.formatting == Formatting::kOpenaiChat)
    throw invalid_argument("{}: openai_chat has no ranking: OpenAI's preference lines are formatting openai",
                           entry.where);
  set_defaults(info, entry);
  if (const Json* columns = entry.find("columns")) {
    const Block block{*columns, entry.where + ", columns"};
    block.check_keys(keys_of(kColumnKeys));
    for (const auto& [key, column] : kColumnKeys) info.columns.*column = block.text(key);
  }
  if (const Json* tags = entry.find("tags")) {
    const Block block{*tags, entry.where + ", tags"};
    block.check_keys(keys_of(kTagKeys));
    for (const auto& [key, tag] : kTagKeys) info.tags.*tag = block.text(key);
  }
  info.files = find_files(entry, dataset_dir);
  check_types(info.files, entry.where);
  if (info.formatting == Formatting::kTrl) choose_trl_columns(info, entry);
}

Json read_file_of(const fs::path& path) {
  const std::string text = read_file(path);
  bool too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) { return !(too_deep |= depth > 8); };
  Json json;
  try {
    json = Json::parse(text, watch);
  } catch (const Json::parse_error& error) {
    throw invalid_argument("{} is not JSON: {}", path.string(), error.what());
  }
  if (too_deep) throw invalid_argument("{}: nested deeper than any dataset's entry", path.string());
  if (!json.is_object())
    throw invalid_argument("{}: an object from names to datasets is wanted, found {}", path.string(), json.type_name());
  return json;
}

std::string text_or_empty(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string where_of(const fs::path& file, const std::string& name) {
  return fmt::format("{}, dataset '{}'", file.string(), name);
}

}  // namespace

std::string_view name_of(Formatting formatting) {
  switch (formatting) {
    case Formatting::kAlpaca:
      return "alpaca";
    case Formatting::kSharegpt:
      return "sharegpt";
    case Formatting::kOpenai:
    case Formatting::kOpenaiPreference:
      return "openai";
    case Formatting::kOpenaiChat:
      return "openai_chat";
    case Formatting::kTrl:
      break;
  }
  return "trl";
}

std::vector<DatasetInfo::NeededColumn> DatasetInfo::needed_columns() const {
  std::vector<NeededColumn> needed;
  const auto need = [&](const char* key) {
    for (const auto& [listed, column] : kColumnKeys)
      if (std::string_view(listed) == key && !(columns.*column).empty()) needed.push_back({key, columns.*column});
  };
  if (formatting == Formatting::kAlpaca) {
    for (const char* key : {"prompt", "query", "history"}) need(key);
    if (!ranking) need("response");
  } else {
    need("messages");
    // Where the formatting is hearth's own, only columns that are read have a name.
    if (formatting == Formatting::kOpenaiPreference || formatting == Formatting::kTrl)
      for (const char* key : {"prompt", "response"}) need(key);
  }
  // openai's rows may lack these two in the reference as well.
  if (formatting == Formatting::kAlpaca || formatting == Formatting::kSharegpt)
    for (const char* key : {"system", "tools"}) need(key);
  for (const char* key : {"images", "videos", "audios", "kto_tag"}) need(key);
  if (ranking)
    for (const char* key : {"chosen", "rejected"}) need(key);
  return needed;
}

std::vector<DatasetInfo> read_dataset_info(const fs::path& dataset_dir, std::span<const std::string> names) {
  std::vector<DatasetInfo> out;
  if (names.empty()) return out;
  const std::string directory = dataset_dir.string();
  if (directory == "ONLINE" || directory.starts_with("REMOTE:"))
    throw invalid_argument(
        "dataset_dir is '{}', but datasets are not downloaded: download them into a directory with a {} and name that",
        directory, kDatasetInfo);
  const fs::path path = dataset_dir / kDatasetInfo;
  const Json json = read_file_of(path);
  std::vector<std::string> known;
  for (const auto& [name, entry] : json.items()) known.push_back(name);
  for (const std::string& name : names) {
    if (std::any_of(out.begin(), out.end(), [&](const DatasetInfo& info) { return info.name == name; })) continue;
    const auto found = json.find(name);
    if (found == json.end())
      throw not_found("Undefined dataset {} in {}{}", name, path.string(), did_you_mean(name, known));
    DatasetInfo& info = out.emplace_back();
    info.name = name;
    read_entry({*found, where_of(path, name)}, dataset_dir, info);
  }
  return out;
}

std::vector<ListedDataset> list_datasets(const fs::path& dataset_dir) {
  std::vector<ListedDataset> out;
  const fs::path path = dataset_dir / kDatasetInfo;
  const Json json = read_file_of(path);
  for (const auto& [name, entry] : json.items()) {
    ListedDataset& listed = out.emplace_back();
    listed.info.name = name;
    try {
      read_entry({entry, where_of(path, name)}, dataset_dir, listed.info);
    } catch (const Error& error) {
      listed.problem = error.what();
    }
    listed.file_name = text_or_empty(entry, "file_name");
    for (const char* key : kHubKeys)
      if (listed.file_name.empty()) listed.file_name = text_or_empty(entry, key);
  }
  return out;
}

DatasetInfo read_dataset_entry(const std::string& name, const Json& entry, const fs::path& dataset_dir) {
  DatasetInfo info;
  info.name = name;
  read_entry({entry, fmt::format("dataset '{}'", name)}, dataset_dir, info);
  return info;
}

}  // namespace hearth
