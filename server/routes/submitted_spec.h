// A YAML of a training or an export as POST /v1/jobs and POST /v1/datasets/preview take it: {"spec", "name"?,
// "overrides"?, "directory"?}.
//
// model_name_or_path may be the id of a model or adapter that this daemon serves, which then stands for its files; a
// path or a name of the cache that is spelled like a served id means the served one.
#pragma once

#include <optional>
#include <string>

#include "finetune/spec/export_spec.h"
#include "finetune/spec/train_spec.h"
#include "server/json_reader.h"

namespace hearth {

class ModelHost;

struct SubmittedSpec {
  std::string name;       // what errors and lists call it
  std::string directory;  // where relative paths of the spec start; empty: nowhere
  TrainSpec spec;
};

struct SubmittedExport {
  std::string name, directory;
  ExportSpec spec;
};

// Nothing where the YAML is of no export (is_export_spec). Throws a 400 that names the field.
std::optional<SubmittedExport> read_submitted_export(const JsonReader& body, const ModelHost& host);

// Throws a 400 that names the field.
SubmittedSpec read_submitted_spec(const JsonReader& body, const ModelHost& host);

}  // namespace hearth
