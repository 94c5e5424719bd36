#include <fstream>
#include <memory>
#include <string>

#include "server/api_error.h"
#include "server/app.h"
#include "server/files/file_store.h"
#include "server/multipart.h"
#include "server/paging.h"
#include "server/routes/file_stream.h"
#include "server/routes/file_upload.h"
#include "server/routes/handlers.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

constexpr PageRule kPages{.default_limit = 10'000, .max_limit = 10'000};

Json file_object(const FileRecord& file) {
  Json object;
  object["id"] = file.id;
  object["object"] = "file";
  object["bytes"] = file.bytes;
  object["created_at"] = file.created_at / 1000;
  if (file.expires_at) object["expires_at"] = *file.expires_at / 1000;
  object["filename"] = file.filename;
  object["purpose"] = file.purpose;
  object["status"] = "processed";
  return object;
}

}  // namespace

Reply handle_upload_file(const Request& request, BodyReader& body, App& app) {
  const std::string type(request.header("Content-Type").value_or(""));
  if (!is_multipart_form(type))
    throw ApiError(ErrorCode::kInvalidArgument,
                   "files are uploaded as multipart/form-data with the fields 'purpose' and 'file'",
                   {.code = "unsupported_media_type", .status = 415});
  FileUpload upload(app.files());
  MultipartParser parser(type, upload);
  body.read([&](std::string_view piece) { parser.feed(piece); });
  parser.finish();
  return json_reply(file_object(upload.finish()));
}

Reply handle_list_files(const Request& request, App& app) {
  const Query query(request.query);
  const Page page = read_page(query, kPages);
  FileQuery wanted{.purpose = std::string(query.get("purpose").value_or("")),
                   .limit = page.rows(),
                   .oldest_first = page.order == PageOrder::kOldestFirst};
  if (!page.after.empty()) wanted.after = page.after;
  Json rows = Json::array();
  try {
    for (const FileRecord& file : app.files().list(wanted)) rows.push_back(file_object(file));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) refuse_after(page);
    throw;
  }
  return json_reply(list_object(std::move(rows), page));
}

Reply handle_get_file(const Request& request, App& app) {
  return json_reply(file_object(app.files().get(request.path_argument)));
}

Reply handle_file_content(const Request& request, App& app) {
  const FileRecord file = app.files().get(request.path_argument);
  // Opened before the headers go out; deleting the file does not take it from here.
  FileStream content(app.files().path_of(file.id), file.id);
  return {.content_type = "application/octet-stream",
          .stream = [bytes = file.bytes, content](BodyWriter& writer) mutable { content.send(bytes, writer); }};
}

Reply handle_delete_file(const Request& request, App& app) {
  app.files().remove(request.path_argument);
  Json deleted;
  deleted["id"] = request.path_argument;
  deleted["object"] = "file";
  deleted["deleted"] = true;
  return json_reply(deleted);
}

}  // namespace hearth
