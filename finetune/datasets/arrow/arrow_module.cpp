// parquet and arrow files row by row as JSON, through Apache Arrow. Files are untrusted: every batch is validated in
// full before it is looked at. Bytes that are no text become {"bytes": length}, which no column of text accepts.
#include "finetune/datasets/arrow/arrow_module.h"

#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <parquet/arrow/reader.h>

struct HearthArrowReader {
  std::unique_ptr<parquet::arrow::FileReader> parquet;  // what `batches` reads from
  std::shared_ptr<arrow::RecordBatchReader> batches;
  std::shared_ptr<arrow::ipc::RecordBatchFileReader> file;  // of an IPC file, instead
  int next_batch_of_file = 0;
  std::shared_ptr<arrow::RecordBatch> batch;
  int64_t row = 0;
  std::string text;
};

namespace {

constexpr int kMaxDepth = 64;
constexpr int64_t kRowsAtOnce = 256;

void append_text(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", c);
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_number(double value, std::string& out) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.17g", value);
  out += std::isfinite(value) ? text : "null";
}

void append_value(const arrow::Array& array, int64_t at, int depth, std::string& out);

void append_list(const arrow::Array& values, int64_t begin, int64_t length, int depth, std::string& out) {
  out += '[';
  for (int64_t i = 0; i < length; ++i) {
    if (i > 0) out += ',';
    append_value(values, begin + i, depth + 1, out);
  }
  out += ']';
}

void append_struct(const arrow::StructArray& array, int64_t at, int depth, std::string& out) {
  out += '{';
  for (int i = 0; i < array.num_fields(); ++i) {
    if (i > 0) out += ',';
    append_text(array.struct_type()->field(i)->name(), out);
    out += ':';
    append_value(*array.field(i), at, depth + 1, out);
  }
  out += '}';
}

template <class Array>
const Array& as(const arrow::Array& array) {
  return static_cast<const Array&>(array);
}

void append_value(const arrow::Array& array, int64_t at, int depth, std::string& out) {
  if (array.IsNull(at) || depth > kMaxDepth) {
    out += "null";
    return;
  }
  switch (array.type_id()) {
    case arrow::Type::STRING:
      return append_text(as<arrow::StringArray>(array).GetView(at), out);
    case arrow::Type::LARGE_STRING:
      return append_text(as<arrow::LargeStringArray>(array).GetView(at), out);
    case arrow::Type::STRING_VIEW:
      return append_text(as<arrow::StringViewArray>(array).GetView(at), out);
    case arrow::Type::BINARY:
      out += "{\"bytes\":" + std::to_string(as<arrow::BinaryArray>(array).GetView(at).size()) + "}";
      return;
    case arrow::Type::LARGE_BINARY:
      out += "{\"bytes\":" + std::to_string(as<arrow::LargeBinaryArray>(array).GetView(at).size()) + "}";
      return;
    case arrow::Type::BOOL:
      out += as<arrow::BooleanArray>(array).Value(at) ? "true" : "false";
      return;
    case arrow::Type::FLOAT:
      return append_number(as<arrow::FloatArray>(array).Value(at), out);
    case arrow::Type::DOUBLE:
      return append_number(as<arrow::DoubleArray>(array).Value(at), out);
    case arrow::Type::LIST: {
      const auto& list = as<arrow::ListArray>(array);
      return append_list(*list.values(), list.value_offset(at), list.value_length(at), depth, out);
    }
    case arrow::Type::LARGE_LIST: {
      const auto& list = as<arrow::LargeListArray>(array);
      return append_list(*list.values(), list.value_offset(at), list.value_length(at), depth, out);
    }
    case arrow::Type::FIXED_SIZE_LIST: {
      const auto& list = as<arrow::FixedSizeListArray>(array);
      return append_list(*list.values(), list.value_offset(at), list.value_length(at), depth, out);
    }
    case arrow::Type::STRUCT:
      return append_struct(as<arrow::StructArray>(array), at, depth, out);
    case arrow::Type::DICTIONARY: {
      const auto& coded = as<arrow::DictionaryArray>(array);
      return append_value(*coded.dictionary(), coded.GetValueIndex(at), depth + 1, out);
    }
    case arrow::Type::EXTENSION:
      return append_value(*as<arrow::ExtensionArray>(array).storage(), at, depth + 1, out);
    default:
      break;
  }
  const arrow::Result<std::shared_ptr<arrow::Scalar>> scalar = array.GetScalar(at);
  const std::string text = scalar.ok() ? (*scalar)->ToString() : "";
  if (arrow::is_integer(array.type_id()))
    out += text;
  else
    append_text(text, out);  // dates and the like
}

arrow::Status open_parquet(const std::shared_ptr<arrow::io::RandomAccessFile>& file, HearthArrowReader& reader) {
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(file));
  builder.memory_pool(arrow::system_memory_pool());
  parquet::ArrowReaderProperties properties;
  properties.set_batch_size(kRowsAtOnce);
  properties.set_pre_buffer(false);
  builder.properties(properties);
  ARROW_RETURN_NOT_OK(builder.Build(&reader.parquet));
  ARROW_ASSIGN_OR_RAISE(reader.batches, reader.parquet->GetRecordBatchReader());
  return arrow::Status::OK();
}

// The stream that `datasets` writes, else the file format.
arrow::Status open_ipc(const std::shared_ptr<arrow::io::RandomAccessFile>& file, HearthArrowReader& reader) {
  arrow::ipc::IpcReadOptions options;
  options.memory_pool = arrow::system_memory_pool();
  options.max_recursion_depth = kMaxDepth;
  options.use_threads = false;
  ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<arrow::Buffer> magic, file->ReadAt(0, 6));
  ARROW_RETURN_NOT_OK(file->Seek(0));
  if (std::string_view(*magic) == "ARROW1") {
    ARROW_ASSIGN_OR_RAISE(reader.file, arrow::ipc::RecordBatchFileReader::Open(file, options));
  } else {
    ARROW_ASSIGN_OR_RAISE(reader.batches, arrow::ipc::RecordBatchStreamReader::Open(file, options));
  }
  return arrow::Status::OK();
}

// Null in `batch` at the end.
arrow::Status next_batch(HearthArrowReader& reader) {
  reader.row = 0;
  reader.batch.reset();
  if (reader.batches) {
    ARROW_RETURN_NOT_OK(reader.batches->ReadNext(&reader.batch));
  } else if (reader.next_batch_of_file < reader.file->num_record_batches()) {
    ARROW_ASSIGN_OR_RAISE(reader.batch, reader.file->ReadRecordBatch(reader.next_batch_of_file++));
  }
  return reader.batch ? reader.batch->ValidateFull() : arrow::Status::OK();
}

void tell(const std::string& what, HearthArrowError* error) {
  std::snprintf(error->text, sizeof(error->text), "%s", what.c_str());
  for (char* c = error->text; *c; ++c)
    if (*c == '\n' || static_cast<unsigned char>(*c) >= 0x80) *c = ' ';
}

}  // namespace

HearthArrowReader* hearth_arrow_open(const char* path, bool is_parquet, HearthArrowError* error) {
  try {
    auto reader = std::make_unique<HearthArrowReader>();
    const auto file = arrow::io::ReadableFile::Open(path, arrow::system_memory_pool());
    arrow::Status status = file.status();
    if (status.ok()) status = is_parquet ? open_parquet(*file, *reader) : open_ipc(*file, *reader);
    if (status.ok()) return reader.release();
    tell(status.message(), error);
  } catch (const std::exception& failure) {
    tell(failure.what(), error);
  }
  return nullptr;
}

int hearth_arrow_next(HearthArrowReader* reader, const char** text, size_t* size, HearthArrowError* error) {
  try {
    while (!reader->batch || reader->row == reader->batch->num_rows()) {
      if (const arrow::Status status = next_batch(*reader); !status.ok()) {
        tell(status.message(), error);
        return -1;
      }
      if (!reader->batch) return 0;
    }
    std::string& out = reader->text;
    out = "{";
    for (int i = 0; i < reader->batch->num_columns(); ++i) {
      if (i > 0) out += ',';
      append_text(reader->batch->column_name(i), out);
      out += ':';
      append_value(*reader->batch->column(i), reader->row, 0, out);
    }
    out += '}';
    ++reader->row;
    *text = out.data();
    *size = out.size();
    return 1;
  } catch (const std::exception& failure) {
    tell(failure.what(), error);
    return -1;
  }
}

void hearth_arrow_close(HearthArrowReader* reader) { delete reader; }
