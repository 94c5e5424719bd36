// Jobs for a person to read: a table, one job, and one followed live with a bar.
#pragma once

#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

namespace hearth {

// An array of the API's objects.
void print_jobs(const nlohmann::ordered_json& jobs);
void print_job(const nlohmann::ordered_json& job);

class JobView {
 public:
  JobView(std::FILE* out, bool terminal) : out_(out), terminal_(terminal) {}
  // An event, or the job itself.
  void show(const nlohmann::ordered_json& object);
  void clear();  // the bar

 private:
  void show_job(const nlohmann::ordered_json& job);
  void print(const std::string& line);

  std::FILE* out_;
  bool terminal_;
  bool drawn_ = false;
};

}  // namespace hearth
