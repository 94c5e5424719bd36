#include "finetune/datasets/example_stream.h"

#include <algorithm>
#include <utility>

#include "finetune/datasets/load_examples.h"
#include "finetune/datasets/rows.h"
#include "runtime/base/error.h"

namespace hearth {
namespace {

// The rows of one dataset, aligned.
class DatasetSource {
 public:
  DatasetSource(const DatasetInfo& info, std::filesystem::path media_dir)
      : info_(info), media_dir_(std::move(media_dir)), reader_(open_rows(info.files)) {}

  void restart() { reader_ = open_rows(info_.files); }
  bool next(Aligned& out) {
    Row row;
    if (!reader_->next(row)) return false;
    out = align(row, info_, media_dir_);
    return true;
  }

 private:
  const DatasetInfo& info_;
  std::filesystem::path media_dir_;
  std::unique_ptr<RowReader> reader_;
};

// Several datasets mixed; one row of each is read ahead, so that its end is known when its last row is given.
class MixedSource {
 public:
  MixedSource(const std::vector<DatasetInfo>& datasets, const StreamOptions& options, uint64_t seed)
      : strategy_(options.mix.strategy),
        next_({options.mix.strategy, options.mix.probabilities, seed}, datasets.size()) {
    for (const DatasetInfo& info : datasets) sources_.push_back({{info, options.media_dir}, {}, false, false});
    for (Source& source : sources_) {
      source.has_next = source.rows.next(source.ahead);
      source.exhausted = !source.has_next;
      if (source.exhausted && strategy_ != MixStrategy::kConcat)
        throw invalid_argument("streaming: a dataset without rows cannot be interleaved");
    }
  }

  bool next(Aligned& out) {
    if (strategy_ == MixStrategy::kConcat) {
      while (current_ < sources_.size() && !sources_[current_].has_next) ++current_;
      if (current_ == sources_.size()) return false;
      give(sources_[current_], out);
      return true;
    }
    if (ended()) return false;
    Source* source = &sources_[next_()];
    while (strategy_ == MixStrategy::kInterleaveOnce && source->exhausted) source = &sources_[next_()];
    give(*source, out);
    return true;
  }

 private:
  struct Source {
    DatasetSource rows;
    Aligned ahead;
    bool has_next, exhausted;
  };

  bool ended() const {
    const auto exhausted = [](const Source& source) { return source.exhausted; };
    return strategy_ == MixStrategy::kInterleaveUnder ? std::any_of(sources_.begin(), sources_.end(), exhausted)
                                                      : std::all_of(sources_.begin(), sources_.end(), exhausted);
  }
  void give(Source& source, Aligned& out) const {
    out = std::move(source.ahead);
    source.has_next = source.rows.next(source.ahead);
    if (source.has_next) return;
    source.exhausted = true;
    if (strategy_ != MixStrategy::kInterleaveOver) return;
    source.rows.restart();
    source.has_next = source.rows.next(source.ahead);
  }

  MixStrategy strategy_;
  NextDataset next_;
  std::vector<Source> sources_;
  size_t current_ = 0;  // of kConcat
};

// `datasets`' buffer (5.2): whenever it is full it is put in random order and half of it is given.
class ShuffledSource {
 public:
  ShuffledSource(const std::vector<DatasetInfo>& datasets, const StreamOptions& options, uint64_t seed)
      : source_(datasets, options, seed), random_(seed), size_(static_cast<size_t>(options.buffer_size)) {}

  bool next(Aligned& out) {
    if (given_ == ready_ && !refill()) return false;
    out = std::move(buffer_[given_++]);
    return true;
  }

 private:
  bool refill() {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(ready_));
    given_ = ready_ = 0;
    Aligned row;
    while (buffer_.size() < size_ && source_.next(row)) buffer_.push_back(std::move(row));
    const bool full = buffer_.size() == size_;
    if (buffer_.empty()) return false;
    std::vector<Aligned> shuffled;
    shuffled.reserve(buffer_.size());
    for (const int64_t i : random_.permutation(static_cast<int64_t>(buffer_.size())))
      shuffled.push_back(std::move(buffer_[static_cast<size_t>(i)]));
    buffer_ = std::move(shuffled);
    ready_ = buffer_.size() - (full ? size_ / 2 : 0);
    return true;
  }

  MixedSource source_;
  NumpyGenerator random_;
  size_t size_;
  std::vector<Aligned> buffer_;
  size_t given_ = 0, ready_ = 0;  // of the buffer; behind ready_ lies what stays
};

// As `datasets`' set_epoch derives it.
uint64_t seed_of_epoch(uint64_t seed, int64_t epoch) {
  if (epoch == 0) return seed;
  return (NumpyGenerator(seed).next() >> 1) - static_cast<uint64_t>(epoch);
}

class MixedStream : public ExampleStream {
 public:
  MixedStream(std::vector<DatasetInfo> datasets, const StreamOptions& options)
      : datasets_(std::move(datasets)), options_(options) {
    begin(0);
    Aligned row;
    for (int64_t i = 0; i < options_.held_out && source_->next(row); ++i) held_out_.insert(row.example.place);
    begin(0);
  }

  void begin(int64_t epoch) override {
    dropped_ = {};
    source_ = std::make_unique<ShuffledSource>(datasets_, options_, seed_of_epoch(options_.mix.seed, epoch));
  }

  bool next(Example& example) override {
    Aligned row;
    while (source_->next(row)) {
      if (held_out_.contains(row.example.place)) continue;
      if (row.dropped.empty()) row.dropped = unusable(row.example, options_.stage, /*generates=*/false);
      if (row.dropped.empty()) {
        example = std::move(row.example);
        return true;
      }
      dropped_.add(row.example.place, row.dropped);
    }
    return false;
  }

  const DroppedRows& dropped() const override { return dropped_; }

 private:
  std::vector<DatasetInfo> datasets_;
  StreamOptions options_;
  std::unique_ptr<ShuffledSource> source_;
  std::set<std::string> held_out_;  // their places
  DroppedRows dropped_;
};

}  // namespace

void DroppedRows::add(const std::string& place, const std::string& reason) {
  ++count;
  if (first.size() < kNamed) first.push_back(place + ": " + reason);
}

std::unique_ptr<ExampleStream> open_example_stream(std::vector<DatasetInfo> datasets, const StreamOptions& options) {
  return std::make_unique<MixedStream>(std::move(datasets), options);
}

std::vector<Example> read_held_out(const std::vector<DatasetInfo>& datasets, const StreamOptions& options,
                                   bool generates, DroppedRows& dropped) {
  ShuffledSource source(datasets, options, options.mix.seed);
  std::vector<Example> examples;
  Aligned row;
  for (int64_t i = 0; i < options.held_out && source.next(row); ++i) {
    if (row.dropped.empty()) row.dropped = unusable(row.example, options.stage, generates);
    if (row.dropped.empty())
      examples.push_back(std::move(row.example));
    else
      dropped.add(row.example.place, row.dropped);
  }
  return examples;
}

}  // namespace hearth
