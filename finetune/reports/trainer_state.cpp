#include "finetune/reports/trainer_state.h"

#include <type_traits>

#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace hearth {
namespace {

using nlohmann::json;

template <class T>
bool is_a(const json& value) {
  if constexpr (std::is_same_v<T, std::string>) return value.is_string();
  if constexpr (std::is_same_v<T, int64_t>) return value.is_number_integer();
  return value.is_number();
}

template <class T>
constexpr const char* kKind = std::is_same_v<T, std::string> ? "a string"
                              : std::is_same_v<T, int64_t>   ? "an integer"
                                                             : "a number";

// Reads the fields of one file, of which each may be missing or null.
struct Reader {
  const std::filesystem::path& path;
  const json& file;

  template <class T>
  bool read(const char* key, T& value) const {
    const auto found = file.find(key);
    if (found == file.end() || found->is_null()) return false;
    if (!is_a<T>(*found))
      throw data_corruption("{}: {} is {}, must be {}", path.string(), key, found->dump().substr(0, 60), kKind<T>);
    value = found->get<T>();
    return true;
  }
  template <class T>
  void read(const char* key, std::optional<T>& value) const {
    T given{};
    if (read(key, given)) value = given;
  }
};

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

}  // namespace

void TrainerState::log(LogRecord record) {
  record["epoch"] = epoch;
  record["step"] = global_step;
  log_history.push_back(std::move(record));
}

void TrainerState::save(const std::filesystem::path& path) const {
  json file;  // sorted by key, as the reference's
  file["best_global_step"] = or_null(best_global_step);
  file["best_metric"] = or_null(best_metric);
  file["best_model_checkpoint"] = or_null(best_model_checkpoint);
  file["epoch"] = epoch;
  file["eval_steps"] = eval_steps;
  file["global_step"] = global_step;
  file["is_hyper_param_search"] = false;
  file["is_local_process_zero"] = true;
  file["is_world_process_zero"] = true;
  file["log_history"] = json::array();
  for (const LogRecord& record : log_history) file["log_history"].push_back(json(record));
  file["logging_steps"] = logging_steps;
  file["max_steps"] = max_steps;
  file["num_input_tokens_seen"] = num_input_tokens_seen;
  file["num_train_epochs"] = num_train_epochs;
  file["save_steps"] = save_steps;
  file["stateful_callbacks"] = json::object();
  file["total_flos"] = total_flos;
  file["train_batch_size"] = train_batch_size;
  file["trial_name"] = nullptr;
  file["trial_params"] = nullptr;
  write_file_atomic(path, file.dump(2, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace) + "\n");
}

TrainerState TrainerState::load(const std::filesystem::path& path) {
  // transformers writes NaN where a loss was none, which is not JSON: the history then does not parse.
  const json file = json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  if (!file.is_object()) throw data_corruption("{}: not a JSON object", path.string());
  TrainerState state;
  const Reader reader{path, file};
  reader.read("global_step", state.global_step);
  reader.read("max_steps", state.max_steps);
  reader.read("epoch", state.epoch);
  reader.read("num_train_epochs", state.num_train_epochs);
  reader.read("logging_steps", state.logging_steps);
  reader.read("eval_steps", state.eval_steps);
  reader.read("save_steps", state.save_steps);
  reader.read("train_batch_size", state.train_batch_size);
  reader.read("num_input_tokens_seen", state.num_input_tokens_seen);
  reader.read("total_flos", state.total_flos);
  reader.read("best_metric", state.best_metric);
  reader.read("best_global_step", state.best_global_step);
  reader.read("best_model_checkpoint", state.best_model_checkpoint);
  if (state.global_step < 0) {
    throw data_corruption("{}: global_step is {}, must be at least 0", path.string(), state.global_step);
  }
  const json& history = file.value("log_history", json::array());
  if (!history.is_array()) throw data_corruption("{}: log_history is not a list", path.string());
  for (const json& record : history) {
    if (!record.is_object()) {
      throw data_corruption("{}: log_history[{}] is not an object", path.string(), state.log_history.size());
    }
    state.log_history.emplace_back(record);
  }
  return state;
}

}  // namespace hearth
