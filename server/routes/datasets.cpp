// /v1/datasets: what dataset_info.json of a directory lists; uploads as data sets of the daemon's own directory; and
// what a training YAML would train of them.
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <variant>

#include "finetune/encoding/preview.h"
#include "finetune/spec/job_spec.h"
#include "models/loader.h"
#include "models/named_template.h"
#include "models/resolver.h"
#include "server/api_error.h"
#include "server/app.h"
#include "server/datasets/dataset_store.h"
#include "server/json_reader.h"
#include "server/query.h"
#include "server/routes/handlers.h"
#include "server/routes/submitted_spec.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kDefaultRows = 10, kMostRows = 50, kLargestOffset = 1'000'000;

Json bytes_of(const ListedDataset& dataset) {
  if (!dataset.problem.empty()) return {};
  uintmax_t sum = 0;
  for (const fs::path& file : dataset.info.files) {
    std::error_code error;
    const uintmax_t size = fs::file_size(file, error);
    if (error) return {};
    sum += size;
  }
  return sum;
}

Json describe(const ListedDataset& dataset, bool is_own) {
  const DatasetInfo& info = dataset.info;
  return {{"name", info.name},
          {"file_name", dataset.file_name.empty() ? Json() : Json(dataset.file_name)},
          {"formatting", name_of(info.formatting)},
          {"ranking", info.ranking},
          {"kto", !info.columns.kto_tag.empty()},
          {"bytes", bytes_of(dataset)},
          {"uploaded", is_own},
          {"problem", dataset.problem.empty() ? Json() : Json(dataset.problem)}};
}

bool is_same(const fs::path& a, const fs::path& b) {
  std::error_code ignored;  // of one that is not there
  return a.lexically_normal() == b.lexically_normal() || fs::equivalent(a, b, ignored);
}

std::vector<ListedDataset> datasets_of(const fs::path& directory) {
  if (!directory.is_absolute())
    throw invalid_field("directory", "'directory' must be an absolute path of a directory on the daemon's machine");
  try {
    return list_datasets(directory);
  } catch (const Error& error) {
    throw invalid_field("directory", error.what());
  }
}

NewDataset read_dataset(const Request& request) {
  const Json document = parse_json(request.body);
  const JsonReader body(document);
  NewDataset dataset{.name = body.required("name").string(), .file_id = body.required("file_id").string()};
  const JsonReader formatting = body["formatting"];
  for (const char* key : {"formatting", "ranking", "columns", "tags"}) {
    const JsonReader field = body[key];
    if (!field) continue;
    if (!formatting) field.fail("goes with 'formatting'; without it all of them are found from the rows");
    dataset.entry[key] = field.json();
  }
  return dataset;
}

// Paths of the spec as the job's worker will see them.
void start_from(const std::string& directory, DataSpec& data) {
  if (directory.empty() && !data.dataset_dir.is_absolute())
    throw invalid_field("directory", fmt::format("is needed where dataset_dir is relative ('{}'): the directory that "
                                                 "paths of the spec start from",
                                                 data.dataset_dir.string()));
  data.dataset_dir = directory / data.dataset_dir;
  if (!data.media_dir.empty()) data.media_dir = directory / data.media_dir;
}

Preview make_preview(const SubmittedSpec& submitted, TrainSpec spec, int64_t offset, int64_t limit) {
  if (spec.data.dataset.empty() && spec.data.eval_dataset.empty())
    throw invalid_field("spec",
                        fmt::format("{}: there is nothing to show: 'dataset' names no data set", submitted.name));
  start_from(submitted.directory, spec.data);
  try {
    const LoadedModel model =
        load_without_weights(resolve_model(spec.model_name_or_path, submitted.directory), spec.chat);
    Preview preview = preview_examples(model, spec, offset, limit);
    if (auto difference = template_difference(model)) preview.warnings.push_back(*std::move(difference));
    return preview;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) throw;
    throw invalid_field("spec", error.what());
  }
}

Json describe(const PreviewPart& part) {
  Json segments = Json::array();
  for (const LearntRun& run : part.runs) segments.push_back({{"text", run.text}, {"trained", run.learnt}});
  return {{"role", part.role}, {"segments", segments}, {"tokens", part.tokens}, {"trained_tokens", part.learnt}};
}

Json describe(const PreviewExample& example) {
  Json parts = Json::array();
  int64_t tokens = 0, learnt = 0;
  for (const PreviewPart& part : example.parts) {
    parts.push_back(describe(part));
    tokens += part.tokens;
    learnt += part.learnt;
  }
  return {{"index", example.row},
          {"tokens", tokens},
          {"trained_tokens", learnt},
          {"truncated", example.truncated},
          {"parts", parts}};
}

}  // namespace

Reply handle_list_datasets(const Request& request, App& app) {
  const Query query(request.query);
  const fs::path own = app.datasets().directory();
  const auto given = query.get("directory");
  const bool is_own = !given || is_same(*given, own);
  Json data = Json::array();
  for (const ListedDataset& dataset : is_own ? app.datasets().list() : datasets_of(*given))
    data.push_back(describe(dataset, is_own));
  return json_reply({{"object", "list"}, {"directory", given ? std::string(*given) : own.string()}, {"data", data}});
}

Reply handle_create_dataset(const Request& request, App& app) {
  return json_reply(describe(app.datasets().add(read_dataset(request)), /*is_own=*/true));
}

Reply handle_delete_dataset(const Request& request, App& app) {
  app.datasets().remove(request.path_argument);
  return json_reply({{"id", request.path_argument}, {"object", "dataset"}, {"deleted", true}});
}

Reply handle_preview(const Request& request, App& app) {
  const Json document = parse_json(request.body);
  const JsonReader body(document);
  const int64_t offset = body["offset"] ? body["offset"].integer(0, kLargestOffset) : 0;
  const int64_t limit = body["limit"] ? body["limit"].integer(0, kMostRows) : kDefaultRows;
  const SubmittedSpec submitted = read_submitted_spec(body, app.host());
  Json out = {{"object", "dataset.preview"}, {"spec", to_yaml(submitted.spec)}};
  std::vector<std::string> warnings = warnings_of(submitted.spec);
  Preview preview;
  if (limit > 0) {
    const auto* spec = std::get_if<TrainSpec>(&submitted.spec);
    if (!spec)
      throw invalid_field("spec",
                          fmt::format("{}: a job of kind {} has no examples", submitted.name, kind_of(submitted.spec)));
    preview = make_preview(submitted, *spec, offset, limit);
  }
  warnings.insert(warnings.end(), preview.warnings.begin(), preview.warnings.end());
  Json data = Json::array();
  for (const PreviewExample& example : preview.examples) data.push_back(describe(example));
  out.update({{"warnings", warnings},
              {"template", preview.source.empty() ? Json() : Json(preview.source)},
              {"offset", offset},
              {"has_more", preview.has_more},
              {"data", data},
              {"dropped", preview.dropped}});
  return json_reply(out);
}

}  // namespace hearth
