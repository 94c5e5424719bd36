#include "server/datasets/dataset_store.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "finetune/datasets/data_check.h"
#include "finetune/datasets/find_format.h"
#include "finetune/datasets/load_examples.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/nearest_name.h"
#include "server/api_error.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t kLongestName = 64;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
  });
}

void check_name(const std::string& name) {
  if (!is_name(name))
    throw invalid_field("name", fmt::format("'name' is '{}', must be 1 to {} letters, digits, '_' and '-'",
                                            name.substr(0, kLongestName), kLongestName));
  if (name == fs::path(kDatasetInfo).stem())
    throw invalid_field("name", fmt::format("'name': {} is the list of data sets itself", kDatasetInfo));
}

// By the upload's name, else by how its content begins.
std::string extension_of(const FileRecord& file, const fs::path& content) {
  std::string extension = fs::path(file.filename).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (file_type("data" + extension)) return extension;
  std::string begin(64, '\0');
  std::ifstream stream(content, std::ios::binary);
  stream.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<size_t>(stream.gcount()));
  if (begin.starts_with("PAR1")) return ".parquet";
  if (begin.starts_with("ARROW1")) return ".arrow";
  if (begin.starts_with("\xef\xbb\xbf")) begin.erase(0, 3);
  const size_t first = begin.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && (begin[first] == '{' || begin[first] == '[')) return ".json";
  throw invalid_field("file_id",
                      fmt::format("'file_id': '{}' does not tell what it is: upload it with a name that ends "
                                  "in {}",
                                  file.filename, kDataExtensions));
}

// The first row that training would stop at is thrown, the first one that it would leave out is kept.
class FirstProblem : public DataReporter {
 public:
  void bad(const BadExample& example) override { throw BadExample(example); }
  void dropped(const std::string& place, const std::string& reason) override {
    if (first_.empty()) first_ = place + ": " + reason;
  }
  const std::string& first() const { return first_; }

 private:
  std::string first_;
};

void check_rows(const DatasetInfo& info, const fs::path& directory) {
  (void)check_first_columns(info, kRowsOfFormat);
  FirstProblem problem;
  const DataCounts counts = check_dataset(info, directory, stage_of(info), kRowsOfFormat, problem);
  if (counts.used == 0) throw invalid_argument("nothing can be learnt from its rows, such as {}", problem.first());
}

// A file that is taken away again unless it is kept.
struct LinkedFile {
  explicit LinkedFile(fs::path file) : path(std::move(file)) {}
  ~LinkedFile() {
    std::error_code ignored;
    if (!kept) fs::remove(path, ignored);
  }
  LinkedFile(const LinkedFile&) = delete;
  LinkedFile& operator=(const LinkedFile&) = delete;

  fs::path path;
  bool kept = false;
};

}  // namespace

std::vector<ListedDataset> DatasetStore::list() const {
  std::error_code ignored;
  if (!fs::exists(directory_ / kDatasetInfo, ignored)) return {};
  return list_datasets(directory_);
}

Json DatasetStore::read_info() const {
  const fs::path file = directory_ / kDatasetInfo;
  if (!fs::exists(file)) return Json::object();
  Json info = Json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  if (!info.is_object()) throw data_corruption("{}: is not an object from names to data sets", file.string());
  return info;
}

void DatasetStore::write_info(const Json& info) const {
  write_file_atomic(directory_ / kDatasetInfo, info.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

ListedDataset DatasetStore::add(const NewDataset& dataset) {
  const std::string& name = dataset.name;
  check_name(name);
  const FileRecord upload = files_.get(dataset.file_id);
  const std::lock_guard lock(mutex_);
  Json info = read_info();
  if (info.contains(name))
    throw ApiError(ErrorCode::kAlreadyExists,
                   fmt::format("there is a data set '{}' already: choose another name, or delete it first", name),
                   {.code = "already_exists", .param = "name"});
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) throw unavailable("{}: cannot make the directory: {}", directory_.string(), error.message());
  LinkedFile data(directory_ / (name + extension_of(upload, files_.path_of(upload.id))));
  fs::remove(data.path, error);  // of a registration that was cut short
  files_.link_to(upload.id, data.path);
  Json entry = {{"file_name", data.path.filename().string()}};
  try {
    entry.update(dataset.entry.contains("formatting") ? dataset.entry : find_format(*open_rows(data.path)));
    ListedDataset added{read_dataset_entry(name, entry, directory_), data.path.filename().string(), {}};
    check_rows(added.info, directory_);
    info[name] = std::move(entry);
    write_info(info);
    data.kept = true;
    return added;
  } catch (const ApiError&) {
    throw;
  } catch (const Error& problem) {
    if (problem.code() == ErrorCode::kUnavailable || problem.code() == ErrorCode::kInternal) throw;
    throw invalid_field("file_id", fmt::format("'{}': {}", upload.filename, problem.what()));
  }
}

void DatasetStore::remove(std::string_view name) {
  const std::string key(name);
  const std::lock_guard lock(mutex_);
  Json info = read_info();
  if (!info.contains(key)) {
    std::vector<std::string> known;
    for (const auto& [other, entry] : info.items()) known.push_back(other);
    throw not_found("there is no data set '{}'{}", name.substr(0, kLongestName),
                    did_you_mean(name.substr(0, kLongestName), known));
  }
  const Json file_name = info[key].is_object() ? info[key].value("file_name", Json()) : Json();
  info.erase(key);
  write_info(info);
  // Only what add() has put there: entries that others wrote may name any path.
  if (!is_name(key) || !file_name.is_string()) return;
  const fs::path file = file_name.get<std::string>();
  if (file.has_parent_path() || file.stem() != key || !file_type(file)) return;
  std::error_code ignored;
  fs::remove(directory_ / file, ignored);
}

}  // namespace hearth
