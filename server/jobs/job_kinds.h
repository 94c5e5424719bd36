// The kinds of jobs, by the name that the queue keeps. What the worker does for each is in server/worker/worker.cpp.
#pragma once

#include <string_view>

namespace hearth {

inline constexpr std::string_view kTrainJob = "train";      // trains, and what else its YAML says
inline constexpr std::string_view kPredictJob = "predict";  // a YAML with do_predict and without do_train
inline constexpr std::string_view kExportJob = "export";    // a YAML with export_dir and without output_dir

}  // namespace hearth
