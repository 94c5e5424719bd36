#include "finetune/datasets/arrow_rows.h"

#include <utility>

#include <dlfcn.h>
#include <fmt/format.h>

#include "finetune/datasets/arrow/arrow_module.h"
#include "finetune/datasets/json_rows.h"
#include "runtime/base/error.h"
#include "runtime/base/loaded_library.h"

namespace hearth {
namespace {

namespace fs = std::filesystem;

const LoadedLibrary& arrow_module() {
  static const LoadedLibrary module("libhearth_arrow.so", HEARTH_ARROW_MODULE, RTLD_LOCAL);
  return module;
}

struct ArrowFunctions {
  decltype(&hearth_arrow_open) open = arrow_module().symbol<decltype(&hearth_arrow_open)>("hearth_arrow_open");
  decltype(&hearth_arrow_next) next = arrow_module().symbol<decltype(&hearth_arrow_next)>("hearth_arrow_next");
  decltype(&hearth_arrow_close) close = arrow_module().symbol<decltype(&hearth_arrow_close)>("hearth_arrow_close");
};

class ArrowRows : public RowReader {
 public:
  ArrowRows(const fs::path& file, bool is_parquet) : name_(file.filename().string()) {
    HearthArrowError error{};
    reader_ = arrow_.open(file.c_str(), is_parquet, &error);
    if (!reader_)
      throw data_corruption("{}: cannot be read as {}: {}", file.string(), is_parquet ? "parquet" : "arrow",
                            error.text);
  }
  ~ArrowRows() override { arrow_.close(reader_); }
  ArrowRows(const ArrowRows&) = delete;
  ArrowRows& operator=(const ArrowRows&) = delete;

  bool next(Row& row) override {
    if (ended_) return false;
    const char* text = nullptr;
    size_t size = 0;
    HearthArrowError error{};
    const int result = arrow_.next(reader_, &text, &size, &error);
    if (result == 0) {
      ended_ = true;
      return false;
    }
    row.problem.clear();
    if (result < 0) {
      ended_ = true;
      row.problem = fmt::format("{}; what follows it cannot be read", error.text);
    } else {
      Row read;  // by the reader of JSON, with its bounds
      if (!open_json_rows(std::string_view(text, size), name_)->next(read)) read.problem = "an empty row";
      row = std::move(read);
    }
    row.place = fmt::format("{}, row {}", name_, ++number_);
    return true;
  }

 private:
  ArrowFunctions arrow_;
  std::string name_;
  HearthArrowReader* reader_ = nullptr;
  int64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace

bool has_arrow_module() { return arrow_module().loaded(); }

std::unique_ptr<RowReader> open_arrow_rows(const fs::path& file, bool is_parquet) {
  if (!fs::exists(file)) throw not_found("{}: there is no such file", file.string());
  if (!has_arrow_module())
    throw failed_precondition(
        "{}: this build cannot read parquet and arrow files ({}): build it with Apache Arrow (./dev build fetches it), "
        "or convert the file to jsonl",
        file.string(), arrow_module().reason());
  return std::make_unique<ArrowRows>(file, is_parquet);
}

}  // namespace hearth
