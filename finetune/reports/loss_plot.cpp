#include "finetune/reports/loss_plot.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <exception>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"

extern char** environ;

namespace hearth {
namespace {

struct Curve {
  std::vector<int64_t> steps;
  std::vector<double> values;
};

Curve curve_of(const TrainerState& state, const std::string& key) {
  Curve curve;
  for (const LogRecord& record : state.log_history) {
    const auto value = record.find(key), step = record.find("step");
    if (value == record.end() || step == record.end() || !value->is_number() || !step->is_number()) continue;
    if (!std::isfinite(value->get<double>())) continue;
    curve.steps.push_back(step->get<int64_t>());
    curve.values.push_back(value->get<double>());
  }
  return curve;
}

// Within gnuplot's single quotes, where only they are special.
std::string quoted(std::string text) {
  std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < ' '; });
  for (size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 2) text.insert(at, "'");
  return "'" + text + "'";
}

// The commands of one picture, with its data.
std::string script(const Curve& curve, const std::string& key, const std::filesystem::path& output_dir,
                   const std::filesystem::path& png) {
  std::string data;
  const std::vector<double> smooth = smoothed(curve.values);
  for (size_t i = 0; i < smooth.size(); ++i)
    data += fmt::format("{} {:.9g} {:.9g}\n", curve.steps[i], curve.values[i], smooth[i]);
  const char* style = curve.values.size() > 1 ? "lines" : "points pt 7";
  return fmt::format(R"(set encoding utf8
set terminal pngcairo size 960,720 font 'Sans,13' background rgb 'white'
set output {}
set title {} noenhanced
set xlabel 'step'
set ylabel {} noenhanced
set grid lc rgb '#dddddd' lw 1 dt 1
set border 3 lc rgb '#444444'
set tics nomirror
set key top right
$curve << END
{}END
plot $curve using 1:2 with {} lw 2 lc rgb '#991f77b4' title 'original', \
     $curve using 1:3 with {} lw 2.5 lc rgb '#1f77b4' title 'smoothed'
)",
                     quoted(png.string()), quoted("training " + key + " of " + output_dir.string()), quoted(key), data,
                     style, style);
}

// Runs gnuplot on a script and waits. Throws kUnavailable.
void run_gnuplot(const std::filesystem::path& commands) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
  std::string program = "gnuplot", argument = commands.string();
  std::array<char*, 3> arguments = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  const int failure = ::posix_spawnp(&child, "gnuplot", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure == ENOENT) throw unavailable("gnuplot is not installed; apt install gnuplot-nox");
  if (failure != 0) throw unavailable("gnuplot does not start: {}", std::strerror(failure));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw unavailable("gnuplot failed (pngcairo, fonts?)");
}

struct Deleted {
  std::filesystem::path path;
  ~Deleted() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
};

void plot(const Curve& curve, const std::string& key, const std::filesystem::path& output_dir) {
  std::string name = "training_" + key;
  std::replace(name.begin(), name.end(), '/', '_');
  const Deleted commands{output_dir / ("." + name + ".gnuplot")}, drawn{output_dir / ("." + name + ".png")};
  write_file_atomic(commands.path, script(curve, key, output_dir, drawn.path));
  run_gnuplot(commands.path);
  std::error_code error;
  std::filesystem::rename(drawn.path, output_dir / (name + ".png"), error);
  if (error) throw unavailable("gnuplot wrote no {}.png: {}", name, error.message());
}

}  // namespace

std::vector<double> smoothed(const std::vector<double>& values) {
  const double weight = 1.8 * (1 / (1 + std::exp(-0.05 * static_cast<double>(values.size()))) - 0.5);
  std::vector<double> smooth;
  smooth.reserve(values.size());
  for (const double value : values)
    smooth.push_back((smooth.empty() ? value : smooth.back()) * weight + (1 - weight) * value);
  return smooth;
}

void plot_history(const TrainerState& state, const std::vector<std::string>& keys,
                  const std::filesystem::path& output_dir) {
  for (const std::string& key : keys) {
    try {
      const Curve curve = curve_of(state, key);
      if (curve.values.empty()) throw not_found("the run logged no {}", key);
      plot(curve, key, output_dir);
    } catch (const std::exception& e) {
      log::warn("no plot of {}: {}", key, e.what());
    }
  }
}

}  // namespace hearth
