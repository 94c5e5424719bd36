#include "runtime/io/torch_bin.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/io/pickle.h"
#include "runtime/io/untrusted.h"
#include "runtime/io/zip_archive.h"

namespace hearth {
namespace {

using Kind = Pickle::Kind;

constexpr std::pair<std::string_view, std::string_view> kStorageDtypes[] = {
    {"FloatStorage", "F32"}, {"HalfStorage", "F16"},  {"BFloat16Storage", "BF16"},   {"DoubleStorage", "F64"},
    {"LongStorage", "I64"},  {"IntStorage", "I32"},   {"ShortStorage", "I16"},       {"CharStorage", "I8"},
    {"ByteStorage", "U8"},   {"BoolStorage", "BOOL"}, {"ComplexFloatStorage", "C64"}};

std::string_view storage_dtype(std::string_view name) {
  for (const auto& [storage, dtype] : kStorageDtypes)
    if (storage == name) return dtype;
  return {};
}

bool is_allowed(std::string_view module, std::string_view name) {
  if (module == "torch") return !storage_dtype(name).empty();
  if (module == "torch._utils")
    return name == "_rebuild_tensor_v2" || name == "_rebuild_parameter" || name == "_rebuild_parameter_with_state";
  return module == "collections" && name == "OrderedDict";
}

// A tensor in its storage; strides and offset count values.
struct View {
  std::string_view dtype;
  uint64_t value_bytes = 0, bytes = 0, offset = 0;
  std::vector<int64_t> shape, strides;
  std::span<const std::byte> storage;

  bool is_contiguous() const {
    int64_t stride = 1;
    for (size_t d = shape.size(); d-- > 0;) {
      if (shape[d] != 1 && strides[d] != stride) return false;
      stride *= shape[d];
    }
    return true;
  }
  std::vector<std::byte> copy() const {
    std::vector<std::byte> values(bytes);
    std::vector<int64_t> index(shape.size());
    int64_t source = static_cast<int64_t>(offset);
    for (uint64_t at = 0; at < bytes; at += value_bytes) {
      std::memcpy(values.data() + at, storage.data() + source * value_bytes, value_bytes);
      for (size_t d = shape.size(); d-- > 0;) {
        if (++index[d] < shape[d]) {
          source += strides[d];
          break;
        }
        source -= strides[d] * (shape[d] - 1);
        index[d] = 0;
      }
    }
    return values;
  }
};

class TorchArchive {
 public:
  TorchArchive(std::span<const std::byte> image, const std::string& file)
      : file_(file),
        entries_(read_stored_zip(image, file)),
        prefix_(find_prefix()),
        pickle_(entries_.at(prefix_ + "data.pkl"), file + ": data.pkl", is_allowed) {
    const auto order = entries_.find(prefix_ + "byteorder");
    if (order != entries_.end() && as_text(order->second) != "little")
      refuse("its byte order is '{}', hearth reads little", printable(as_text(order->second)));
  }

  // Keys and values of the dict that has the tensors.
  const std::vector<Pickle::Ref>& state_dict() const {
    const Pickle::Value* dict = &pickle_.root();
    if (!is_dict(*dict)) refuse("data.pkl is no dict of tensors; save model.state_dict()");
    for (const std::string_view key : {"state_dict", "model"}) {
      for (size_t i = 0; i < dict->items.size(); i += 2) {
        const Pickle::Value& value = pickle_[dict->items[i + 1]];
        if (pickle_[dict->items[i]].text == key && is_dict(value)) return value.items;
      }
    }
    return dict->items;
  }

  std::string_view text(Pickle::Ref ref) const { return pickle_[ref].text; }
  bool is_text(Pickle::Ref ref) const { return pickle_[ref].kind == Kind::kText; }

  // The tensor that a value of the dict rebuilds; nothing when it is something else.
  std::optional<View> view(const std::string& name, Pickle::Ref ref) const {
    // A parameter is called with its tensor first.
    if (is_call(ref, "_rebuild_parameter") || is_call(ref, "_rebuild_parameter_with_state")) {
      const std::vector<Pickle::Ref>& arguments = pickle_[pickle_[ref].argument].items;
      if (arguments.empty() || !is_call(arguments[0], "_rebuild_tensor_v2"))
        refuse("tensor '{}' is a parameter of no tensor", name);
      ref = arguments[0];
    }
    if (!is_call(ref, "_rebuild_tensor_v2")) return std::nullopt;
    // storage, offset, shape, strides; what follows is for gradients.
    const std::vector<Pickle::Ref>& arguments = pickle_[pickle_[ref].argument].items;
    if (arguments.size() < 4) refuse("tensor '{}' is rebuilt from {} arguments", name, arguments.size());
    View view;
    read_storage(name, arguments[0], view);
    view.offset = static_cast<uint64_t>(count(name, arguments[1]));
    view.shape = counts(name, arguments[2]);
    view.strides = counts(name, arguments[3]);
    check_extent(name, view);
    return view;
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw data_corruption("{}: {}", file_, fmt::format(format, std::forward<Args>(args)...));
  }

  static std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  // "<archive>/", the folder of the one data.pkl.
  std::string find_prefix() const {
    std::optional<std::string> prefix;
    for (const auto& [name, bytes] : entries_) {
      const size_t slash = name.find('/');
      if (slash == std::string_view::npos || name.substr(slash + 1) != "data.pkl") continue;
      if (prefix) refuse("the archive has two data.pkl");
      prefix = name.substr(0, slash + 1);
    }
    if (!prefix) refuse("the archive has no <name>/data.pkl, so torch.save did not write it");
    return *prefix;
  }

  bool is_call(Pickle::Ref ref, std::string_view function) const {
    return pickle_[ref].kind == Kind::kCall && pickle_[ref].text == function;
  }
  bool is_dict(const Pickle::Value& value) const {
    return value.kind == Kind::kDict || (value.kind == Kind::kCall && value.text == "OrderedDict");
  }

  int64_t count(const std::string& name, Pickle::Ref ref) const {
    const Pickle::Value& value = pickle_[ref];
    if (value.kind != Kind::kInteger || value.number < 0)
      refuse("tensor '{}' has an offset, a dimension or a stride that is no count", name);
    return value.number;
  }
  std::vector<int64_t> counts(const std::string& name, Pickle::Ref ref) const {
    const Pickle::Value& tuple = pickle_[ref];
    if (tuple.kind != Kind::kTuple || tuple.items.size() > CheckpointFile::kLargestRank)
      refuse("tensor '{}' has a shape or strides that are no tuple of at most {} numbers", name,
             CheckpointFile::kLargestRank);
    std::vector<int64_t> numbers;
    for (const Pickle::Ref item : tuple.items) numbers.push_back(count(name, item));
    return numbers;
  }

  // From ('storage', its class, the entry's name, a device, the number of values).
  void read_storage(const std::string& name, Pickle::Ref ref, View& view) const {
    const Pickle::Value& storage = pickle_[ref];
    if (storage.kind != Kind::kPersistent) refuse("tensor '{}' lies in no storage", name);
    const Pickle::Value& id = pickle_[storage.argument];
    if (id.kind != Kind::kTuple || id.items.size() != 5 || text(id.items[0]) != "storage" || !is_text(id.items[2]))
      refuse("tensor '{}' lies in a storage that is not described as torch.save does", name);
    view.dtype = storage_dtype(text(id.items[1]));
    if (pickle_[id.items[1]].kind != Kind::kGlobal || view.dtype.empty())
      refuse("tensor '{}' lies in a storage of no type", name);
    view.value_bytes = *dtype_bytes(view.dtype);
    const std::string_view key = text(id.items[2]);
    const auto entry = entries_.find(prefix_ + "data/" + std::string(key));
    if (entry == entries_.end())
      refuse("tensor '{}' lies in storage '{}', which the archive lacks; download it again", name, printable(key));
    const int64_t values = count(name, id.items[4]);
    const std::optional<uint64_t> bytes = checked_multiply(static_cast<uint64_t>(values), view.value_bytes);
    if (!bytes || *bytes > entry->second.size())
      refuse("storage '{}' of tensor '{}' has {} bytes, {} values of {} were promised", printable(key), name,
             entry->second.size(), values, view.dtype);
    view.storage = entry->second.first(*bytes);
  }

  // That the values lie in the storage, and are not more than it has (as with a stride of 0). Sets bytes.
  void check_extent(const std::string& name, View& view) const {
    if (view.shape.size() != view.strides.size())
      refuse("tensor '{}' has {} dimensions and {} strides", name, view.shape.size(), view.strides.size());
    const std::optional<uint64_t> bytes = tensor_bytes(view.value_bytes, view.shape);
    std::optional<uint64_t> last = view.offset;
    for (size_t d = 0; bytes && *bytes > 0 && last && d < view.shape.size(); ++d) {
      const std::optional<uint64_t> reach =
          checked_multiply(static_cast<uint64_t>(view.shape[d] - 1), static_cast<uint64_t>(view.strides[d]));
      last = reach ? checked_add(*last, *reach) : std::nullopt;
    }
    const uint64_t stored = view.storage.size() / view.value_bytes;
    if (!bytes || *bytes > view.storage.size() || !last || (*bytes > 0 && *last >= stored))
      refuse("tensor '{}' does not fit its storage of {} values", name, stored);
    view.bytes = *bytes;
  }

  const std::string& file_;
  StoredEntries entries_;
  std::string prefix_;
  Pickle pickle_;
};

void check_format(std::span<const std::byte> image, const std::string& file) {
  constexpr std::string_view kZip = "PK\3\4";
  const std::string_view start(reinterpret_cast<const char*>(image.data()), std::min(image.size(), kZip.size()));
  if (start.starts_with('\x80'))
    throw invalid_argument(
        "{}: is of the format before torch 1.6; write it again with torch.save(torch.load(file, weights_only=True), "
        "file)",
        file);
  if (start != kZip) throw data_corruption("{}: is no file of torch.save: it does not begin as a zip archive", file);
}

}  // namespace

void TorchBinFile::read(std::span<const std::byte> image, const std::shared_ptr<const MappedFile>& file) {
  check_format(image, name());
  const TorchArchive archive(image, name());
  const std::vector<Pickle::Ref>& items = archive.state_dict();
  std::vector<Tensor> tensors;
  uint64_t copied = 0;
  for (size_t i = 0; i < items.size(); i += 2) {
    if (!archive.is_text(items[i])) continue;
    const std::optional<View> view = archive.view(printable(archive.text(items[i])), items[i + 1]);
    if (!view) continue;
    Tensor tensor{std::string(archive.text(items[i])), std::string(view->dtype), view->shape, {}, file};
    if (view->bytes == 0) {
      tensor.file = nullptr;
    } else if (view->is_contiguous()) {
      tensor.bytes = view->storage.subspan(view->offset * view->value_bytes, view->bytes);
    } else {
      copied += view->bytes;
      if (copied > image.size())
        throw data_corruption("{}: tensor '{}' is one view too many of the same storage", name(),
                              printable(tensor.name));
      copies_.push_back(view->copy());
      tensor.bytes = copies_.back();
      tensor.file = nullptr;
    }
    tensors.push_back(std::move(tensor));
  }
  if (tensors.empty()) throw data_corruption("{}: data.pkl has no tensors; save model.state_dict()", name());
  set_tensors(std::move(tensors));
}

std::shared_ptr<const TorchBinFile> TorchBinFile::parse(std::span<const std::byte> image, std::string name) {
  std::shared_ptr<TorchBinFile> file(new TorchBinFile(std::move(name)));
  file->read(image, nullptr);
  return file;
}

std::shared_ptr<const TorchBinFile> TorchBinFile::open(const std::filesystem::path& path) {
  std::shared_ptr<TorchBinFile> file(new TorchBinFile(path.string()));
  const std::shared_ptr<const MappedFile> map = MappedFile::open(path);
  file->read(map->bytes(), map);
  return file;
}

CheckpointFiles open_torch_bin(const std::filesystem::path& directory) {
  return open_checkpoint(directory, "pytorch_model.bin", TorchBinFile::open);
}

}  // namespace hearth
