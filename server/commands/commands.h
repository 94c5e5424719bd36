// The subcommands. Each declares its arguments and help; what they mean is checked first (a mistake there is exit code
// 2) and run then.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace hearth {

using Run = std::function<int()>;      // -> exit code; what it throws is exit code 1
using Prepare = std::function<Run()>;  // after parsing; what it throws is exit code 2

Prepare add_serve(CLI::App& app);
Prepare add_api(CLI::App& app);
Prepare add_webchat(CLI::App& app);
Prepare add_keys(CLI::App& app);
Prepare add_chat(CLI::App& app);
Prepare add_train(CLI::App& app);
Prepare add_eval(CLI::App& app);
Prepare add_export(CLI::App& app);
Prepare add_bench(CLI::App& app);
Prepare add_preprocess(CLI::App& app);
Prepare add_pull(CLI::App& app);
Prepare add_models(CLI::App& app);
Prepare add_templates(CLI::App& app);
Prepare add_data(CLI::App& app);
Prepare add_submit(CLI::App& app);
Prepare add_jobs(CLI::App& app);
Prepare add_worker(CLI::App& app);
Prepare add_env(CLI::App& app);
Prepare add_version(CLI::App& app);

}  // namespace hearth
