// /v1/jobs/{id}/files: what a job has left in its output_dir, listed, one by one, and as a tar.
#include "server/routes/job_files.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "finetune/spec/job_spec.h"
#include "server/api_error.h"
#include "server/app.h"
#include "server/jobs/job_files.h"
#include "server/jobs/job_service.h"
#include "server/jobs/tar.h"
#include "server/query.h"
#include "server/routes/file_stream.h"
#include "server/routes/handlers.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t kMostListed = 1000, kMostArchived = 100'000;

fs::path output_dir(const Request& request, App& app) {
  JobService& jobs = app.jobs();
  return output_dir_of(jobs.store().get(request.path_argument), jobs.runner());
}

std::string content_type_of(const fs::path& path) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kTypes = {{
      {".json", "application/json"},
      {".jsonl", "application/x-ndjson"},
      {".yaml", "application/yaml"},
      {".txt", "text/plain; charset=utf-8"},
      {".log", "text/plain; charset=utf-8"},
      {".md", "text/markdown; charset=utf-8"},
      {".png", "image/png"},
      {".jinja", "text/plain; charset=utf-8"},
  }};
  const std::string extension = path.extension().string();
  const auto found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& type) { return type.first == extension; });
  return found == kTypes.end() ? "application/octet-stream" : std::string(found->second);
}

// Files that the job takes away meanwhile are left out.
void send_archive(const fs::path& directory, const std::vector<JobFile>& files, BodyWriter& writer) {
  const std::string name = directory.filename().string();
  for (const JobFile& file : files) {
    std::error_code gone;
    const fs::path path = directory / file.path;
    const auto bytes = static_cast<int64_t>(fs::file_size(path, gone));
    if (gone) continue;
    FileStream stream(path, file.path);
    if (!writer.write(tar_header(name + "/" + file.path, bytes, file.modified_at / 1000))) return;
    if (!stream.send(bytes, writer) || !writer.write(tar_padding(bytes))) return;
  }
  writer.write(tar_end());
}

}  // namespace

fs::path output_dir_of(const Job& job, const JobRunner& runner) {
  const JobOutput output = output_of(job.spec, job.id);
  if (output.directory.empty()) return {};
  const fs::path start = job.directory.empty() ? runner.directory_of(job.id).path() : fs::path(job.directory);
  return (fs::absolute(start) / output.directory).lexically_normal();
}

Reply handle_list_job_files(const Request& request, App& app) {
  const JobFiles found = list_job_files(output_dir(request, app), kMostListed);
  Json data = Json::array();
  for (const JobFile& file : found.files)
    data.push_back(
        {{"path", file.path}, {"bytes", file.bytes}, {"modified_at", static_cast<double>(file.modified_at) / 1000}});
  return json_reply({{"object", "list"}, {"data", data}, {"has_more", found.has_more}});
}

Reply handle_job_file_content(const Request& request, App& app) {
  const Query query(request.query);
  const std::optional<std::string_view> wanted = query.get("path");
  if (!wanted)
    throw ApiError(ErrorCode::kInvalidArgument, "'path' is missing: a path that GET /v1/jobs/ID/files lists",
                   {.code = "missing_required_parameter", .param = "path"});
  const fs::path path = find_job_file(output_dir(request, app), *wanted);
  std::error_code error;
  const auto bytes = static_cast<int64_t>(fs::file_size(path, error));
  if (error) throw not_found("'{}' is gone", *wanted);
  Reply reply{.content_type = content_type_of(path)};
  set_attachment(reply, path.filename().string());
  reply.stream = [bytes, stream = FileStream(path, std::string(*wanted))](BodyWriter& writer) mutable {
    stream.send(bytes, writer);
  };
  return reply;
}

Reply handle_job_archive(const Request& request, App& app) {
  const fs::path directory = output_dir(request, app);
  JobFiles found = list_job_files(directory, kMostArchived);
  if (found.files.empty()) throw not_found("the job has left no file yet");
  if (found.has_more) throw failed_precondition("{} has more than {} files", directory.string(), kMostArchived);
  Reply reply{.content_type = "application/x-tar"};
  set_attachment(reply, directory.filename().string() + ".tar");
  reply.stream = [directory, files = std::move(found.files)](BodyWriter& writer) {
    send_archive(directory, files, writer);
  };
  return reply;
}

}  // namespace hearth
