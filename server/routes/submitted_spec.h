// A job's YAML as POST /v1/jobs and POST /v1/datasets/preview take it: {"spec", "name"?, "overrides"?, "directory"?}.
//
// model_name_or_path may be the id of a model or adapter that this daemon serves, which then stands for its files; a
// path or a name of the cache that is spelled like a served id means the served one.
#pragma once

#include <string>

#include "finetune/spec/job_spec.h"
#include "server/json_reader.h"

namespace hearth {

class ModelHost;

struct SubmittedSpec {
  std::string name;       // what errors and lists call it
  std::string directory;  // where relative paths of the spec start; empty: nowhere
  JobSpec spec;
};

// Throws a 400 that names the field.
SubmittedSpec read_submitted_spec(const JsonReader& body, const ModelHost& host);

}  // namespace hearth
