// The data sets of the daemon's own directory: uploads by name, with LLaMA-Factory's dataset_info.json beside them, so
// that `dataset: NAME, dataset_dir: DIRECTORY` is a plain training YAML. An entry is there once its file is, and goes
// before it. Others may write into the directory too; what is not understood of their entries is kept. Thread-safe.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "finetune/datasets/dataset_info.h"
#include "server/files/file_store.h"

namespace hearth {

struct NewDataset {
  std::string name;
  std::string file_id;  // of an upload
  // What dataset_info.json says besides file_name: formatting, ranking, columns, tags. Without formatting all of it is
  // found from the rows.
  nlohmann::ordered_json entry = nlohmann::ordered_json::object();
};

class DatasetStore {
 public:
  // `files` outlives it.
  DatasetStore(std::filesystem::path directory, FileStore& files) : directory_(std::move(directory)), files_(files) {}

  const std::filesystem::path& directory() const { return directory_; }
  std::vector<ListedDataset> list() const;

  // Throws a 400 that names the field: a name that is none or taken, a file that is no data, an entry that its first
  // rows contradict; kNotFound for a file that is not there.
  ListedDataset add(const NewDataset& dataset);
  // The entry, and its file where it is of this directory. Throws kNotFound.
  void remove(std::string_view name);

 private:
  nlohmann::ordered_json read_info() const;
  void write_info(const nlohmann::ordered_json& info) const;

  const std::filesystem::path directory_;
  FileStore& files_;
  mutable std::mutex mutex_;  // of dataset_info.json
};

}  // namespace hearth
