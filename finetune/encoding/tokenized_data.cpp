#include "finetune/encoding/tokenized_data.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <limits>
#include <unordered_map>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/io/json_file.h"
#include "runtime/io/untrusted.h"

namespace hearth {
namespace {

using Json = nlohmann::json;
static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "HEARTHT3";
constexpr size_t kPreamble = 16, kLargestHeader = size_t{16} << 20;
constexpr int32_t kNoTag = -1;  // else 0 or 1
constexpr const char* kFile = "tokenized.bin";

class Reader {
 public:
  Reader(std::span<const std::byte> image, const std::string& name, int64_t vocab_size)
      : rest_(image), name_(name), vocab_size_(vocab_size) {}

  Json header() {
    if (rest_.size() < kPreamble || std::memcmp(rest_.data(), kMagic.data(), kMagic.size()) != 0)
      throw corrupt("does not begin with {}: it is no tokenised data, or of another version; remove the directory",
                    kMagic);
    uint64_t size = 0;
    std::memcpy(&size, rest_.data() + kMagic.size(), sizeof size);
    rest_ = rest_.subspan(kPreamble);
    if (size > kLargestHeader || size > rest_.size())
      throw corrupt("its header takes {} bytes, {} are there", size, rest_.size());
    Json json = parse_json({reinterpret_cast<const char*>(rest_.data()), static_cast<size_t>(size)}, name_);
    rest_ = rest_.subspan(static_cast<size_t>(size));
    if (!json.is_object() || !json["made_with"].is_array() || !json["sets"].is_array() || !json["pictures"].is_array())
      throw corrupt("its header lacks made_with, sets or pictures");
    for (const Json& picture : json["pictures"]) files_.push_back(file(picture));
    return json;
  }

  std::vector<TokenizedExample> set(const Json& set) {
    const uint64_t examples = count(set, "examples"), packed = count(set, "packed"), tokens = count(set, "tokens"),
                   num_pictures = count(set, "pictures");
    if (num_pictures > std::numeric_limits<uint32_t>::max()) throw corrupt("{} pictures", num_pictures);
    const std::vector<int32_t> lengths = numbers(examples), packs = numbers(examples), across = numbers(examples),
                               tags = numbers(examples), packed_lengths = numbers(packed), ids = numbers(tokens),
                               labels = numbers(tokens), pictures = numbers(3 * num_pictures);
    std::vector<TokenizedExample> out(static_cast<size_t>(examples));
    size_t token = 0, pack = 0, picture = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      out[i].input_ids = part(ids, token, lengths[i]);
      out[i].labels = part(labels, token, lengths[i]);
      out[i].packed_lengths = part(packed_lengths, pack, packs[i]);
      out[i].attends_across = across[i] != 0;
      if (tags[i] != kNoTag) out[i].desirable = tag(tags[i], out[i]);
      for (; picture < num_pictures && pictures[3 * picture] == static_cast<int32_t>(i); ++picture)
        out[i].pictures.push_back(placed(pictures[3 * picture + 1], pictures[3 * picture + 2]));
      check(out[i]);
      token += out[i].input_ids.size();
      pack += out[i].packed_lengths.size();
    }
    if (token != tokens || pack != packed) throw corrupt("its examples do not cover its tokens");
    if (picture != num_pictures) throw corrupt("its pictures are not in the order of its examples");
    return out;
  }

  void end() const {
    if (!rest_.empty()) throw corrupt("{} bytes follow its last set", rest_.size());
  }

 private:
  template <class... Args>
  Error corrupt(fmt::format_string<Args...> format, Args&&... args) const {
    return data_corruption("{}: {}; remove it, and it is made again", name_,
                           fmt::format(format, std::forward<Args>(args)...));
  }

  uint64_t count(const Json& set, const char* key) const {
    const auto found = set.is_object() ? set.find(key) : set.end();
    if (!set.is_object() || found == set.end() || !found->is_number_unsigned())
      throw corrupt("its header lacks the number of {}", key);
    return found->get<uint64_t>();
  }

  std::vector<int32_t> numbers(uint64_t size) {
    if (size > rest_.size() / sizeof(int32_t)) throw corrupt("it ends within its data");
    std::vector<int32_t> out(static_cast<size_t>(size));
    if (!out.empty()) std::memcpy(out.data(), rest_.data(), out.size() * sizeof(int32_t));
    rest_ = rest_.subspan(out.size() * sizeof(int32_t));
    return out;
  }

  std::vector<int32_t> part(const std::vector<int32_t>& from, size_t begin, int32_t size) const {
    if (size < 0 || static_cast<size_t>(size) > from.size() - begin) throw corrupt("an example of {} tokens", size);
    const auto first = from.begin() + static_cast<ptrdiff_t>(begin);
    return {first, first + size};
  }

  std::shared_ptr<const FilePicture> file(const Json& json) const try {
    FilePicture picture;
    picture.path = json.at("path");
    picture.layout.identity = json.at("identity");
    picture.layout.grid = json.at("grid");
    picture.joins = json.at("joins");
    picture.token_ids = json.at("token_ids").get<std::vector<TokenId>>();
    picture.layout.feature_rows = json.at("feature_rows").get<std::vector<int>>();
    const std::vector<int>& rows = picture.layout.feature_rows;
    const bool ascend = std::is_sorted(rows.begin(), rows.end(), std::less_equal<>());
    const auto [height, width] = picture.layout.grid;
    const auto most = static_cast<int64_t>(picture.token_ids.size());
    if (!ascend || rows.empty() || rows.front() < 0 || rows.back() >= most || height < 0 || width < 0 ||
        (int64_t{height} * width != 0 && int64_t{height} * width != static_cast<int64_t>(rows.size())))
      throw corrupt("the rows of the picture {} do not fit together", printable(picture.path));
    return std::make_shared<const FilePicture>(std::move(picture));
  } catch (const Json::exception&) {
    throw corrupt("a picture in its header is not whole");
  }

  ExamplePicture placed(int32_t number, int32_t begin) const {
    if (number < 0 || static_cast<size_t>(number) >= files_.size()) throw corrupt("there is no picture {}", number);
    return {begin, files_[static_cast<size_t>(number)]};
  }

  bool tag(int32_t number, const TokenizedExample& example) const {
    if (number != 0 && number != 1) throw corrupt("a kto_tag of {}", number);
    if (example.packed_lengths.size() != 2)
      throw corrupt("a kto_tag on {} answers, must be on 2", example.packed_lengths.size());
    return number == 1;
  }

  void check(const TokenizedExample& example) const {
    int64_t packed = 0;
    for (const int length : example.packed_lengths) {
      if (length < 0) throw corrupt("a packed example of {} tokens", length);
      packed += length;
    }
    if (!example.packed_lengths.empty() && packed != static_cast<int64_t>(example.input_ids.size()))
      throw corrupt("packed examples of {} tokens in one of {}", packed, example.input_ids.size());
    for (int64_t end = 0; const ExamplePicture& one : example.pictures) {
      const auto size = static_cast<int64_t>(one.picture->token_ids.size());
      const bool fits = one.begin >= std::max<int64_t>(end - (one.picture->joins ? 1 : 0), 0) &&
                        one.begin + size <= static_cast<int64_t>(example.input_ids.size());
      if (!fits || !std::equal(one.picture->token_ids.begin(), one.picture->token_ids.end(),
                               example.input_ids.begin() + one.begin))
        throw corrupt("an example does not have the picture {} at its token {}", printable(one.picture->path),
                      one.begin);
      end = one.begin + size;
    }
    for (const TokenId id : example.input_ids)
      if (id < 0 || id >= vocab_size_) throw corrupt("token id {} is not in the vocabulary of {}", id, vocab_size_);
    for (const TokenId label : example.labels)
      if (label != kIgnoredLabel && (label < 0 || label >= vocab_size_))
        throw corrupt("label {} is not in the vocabulary of {}", label, vocab_size_);
  }

  std::vector<std::shared_ptr<const FilePicture>> files_;
  std::span<const std::byte> rest_;
  const std::string& name_;
  int64_t vocab_size_;
};

void check_made_with(const Json& found, const MadeWith& expected, const std::string& name) {
  std::map<std::string, std::string> values;
  for (const Json& entry : found) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_string())
      throw data_corruption("{}: made_with must hold pairs of texts", name);
    values[entry[0].get<std::string>()] = entry[1].get<std::string>();
  }
  std::string differences;
  for (const auto& [key, value] : expected) {
    const auto at = values.find(key);
    if (at != values.end() && at->second == value) continue;
    differences +=
        fmt::format("{}{} (there {}, now {})", differences.empty() ? "" : ", ", key,
                    at == values.end() ? "unknown" : "'" + printable(at->second) + "'", "'" + printable(value) + "'");
  }
  if (!differences.empty())
    throw failed_precondition(
        "{}: the data was tokenised for another job: {}; remove the directory, or name another with tokenized_path",
        name, differences);
}

void append(const std::vector<int32_t>& numbers, std::string& out) {
  out.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(int32_t));
}

}  // namespace

TokenizedSets parse_tokenized(std::span<const std::byte> image, const std::string& name, const MadeWith& expected,
                              int64_t vocab_size) {
  Reader reader(image, name, vocab_size);
  const Json header = reader.header();
  check_made_with(header["made_with"], expected, name);
  TokenizedSets sets;
  for (const Json& set : header["sets"]) {
    const auto set_name = set.is_object() ? set.find("name") : set.end();
    if (!set.is_object() || set_name == set.end() || !set_name->is_string())
      throw data_corruption("{}: a set has no name", name);
    sets[set_name->get<std::string>()] = reader.set(set);
  }
  reader.end();
  return sets;
}

bool has_tokenized(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory)) return false;
  if (!std::filesystem::is_directory(directory))
    throw failed_precondition("tokenized_path: {} is no directory", directory.string());
  if (std::filesystem::exists(directory / kFile)) return true;
  const auto is_other = [](const auto& entry) { return entry.path().extension() != kUnfinished; };
  const std::filesystem::directory_iterator entries(directory);
  if (std::none_of(begin(entries), end(entries), is_other)) return false;
  throw failed_precondition(
      "tokenized_path: {} has no {}, but other files (LLaMA-Factory's own are not read); name another directory",
      directory.string(), kFile);
}

std::optional<TokenizedSets> load_tokenized(const std::filesystem::path& directory, const MadeWith& expected,
                                            int64_t vocab_size) {
  if (!has_tokenized(directory)) return std::nullopt;
  const std::filesystem::path path = directory / kFile;
  return parse_tokenized(MappedFile::open(path)->bytes(), path.string(), expected, vocab_size);
}

void save_tokenized(const std::filesystem::path& directory, const TokenizedSets& sets, const MadeWith& made_with) {
  Json header = {{"made_with", Json::array()}, {"sets", Json::array()}, {"pictures", Json::array()}};
  std::unordered_map<const FilePicture*, int32_t> numbers_of;
  const auto number_of = [&](const FilePicture& picture) {
    const auto [at, is_new] = numbers_of.emplace(&picture, static_cast<int32_t>(numbers_of.size()));
    if (is_new)
      header["pictures"].push_back({{"path", picture.path},
                                    {"identity", picture.layout.identity},
                                    {"grid", picture.layout.grid},
                                    {"token_ids", picture.token_ids},
                                    {"joins", picture.joins},
                                    {"feature_rows", picture.layout.feature_rows}});
    return at->second;
  };
  for (const auto& [key, value] : made_with) header["made_with"].push_back(Json::array({key, value}));
  std::string data;
  for (const auto& [name, examples] : sets) {
    std::vector<int32_t> lengths, packs, across, tags, packed, ids, labels, pictures;
    for (const TokenizedExample& example : examples) {
      for (const ExamplePicture& one : example.pictures)
        pictures.insert(pictures.end(), {static_cast<int32_t>(lengths.size()), number_of(*one.picture), one.begin});
      lengths.push_back(static_cast<int32_t>(example.input_ids.size()));
      packs.push_back(static_cast<int32_t>(example.packed_lengths.size()));
      across.push_back(example.attends_across ? 1 : 0);
      tags.push_back(example.desirable ? int32_t{*example.desirable} : kNoTag);
      packed.insert(packed.end(), example.packed_lengths.begin(), example.packed_lengths.end());
      ids.insert(ids.end(), example.input_ids.begin(), example.input_ids.end());
      labels.insert(labels.end(), example.labels.begin(), example.labels.end());
    }
    header["sets"].push_back({{"name", name},
                              {"examples", examples.size()},
                              {"packed", packed.size()},
                              {"tokens", ids.size()},
                              {"pictures", pictures.size() / 3}});
    for (const auto* numbers : {&lengths, &packs, &across, &tags, &packed, &ids, &labels, &pictures})
      append(*numbers, data);
  }
  const std::string text = header.dump();
  const uint64_t size = text.size();
  std::string file(kMagic);
  file.append(reinterpret_cast<const char*>(&size), sizeof size);
  remove_unfinished_files(directory);
  write_file_atomic(directory / kFile, file + text + data);
}

}  // namespace hearth
