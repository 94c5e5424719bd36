#include "runtime/engine/step_runner.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "runtime/base/parallel.h"
#include "runtime/engine/logprobs.h"
#include "runtime/ops/ops.h"

namespace hearth {
namespace {

// Those of an adapter side by side, so that each adapter's matrices are read once a step.
std::vector<PlannedRows> by_adapter(std::vector<PlannedRows> rows) {
  const auto number = [](const PlannedRows& r) {
    const Adapter* adapter = r.sequence->request.adapter.get();
    return adapter ? adapter->number : 0;
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const PlannedRows& a, const PlannedRows& b) { return number(a) < number(b); });
  return rows;
}

// Of the text that ends in row `last` of `hidden`.
void reward(const Tensor& hidden, int last, ValueHead& head, StepResult& result) {
  result.reward = ops::rewards(ops::gather_rows(hidden, {&last, 1}), head).data()[0];
  if (!std::isfinite(result.reward)) result.error = "the model's reward is not a number";
}

}  // namespace

StepRunner::StepRunner(std::shared_ptr<const LanguageModel> model, KvCache& cache, PictureStore& pictures)
    : model_(std::move(model)), cache_(cache), pictures_(pictures), samplers_(num_threads()) {}

// The features of those of its pictures' rows that are among the planned ones.
EmbeddedRows StepRunner::embedded(std::span<const PlannedRows> planned) {
  EmbeddedRows all;
  std::vector<float> values;
  int first_row = 0;
  for (const PlannedRows& rows : planned) {
    const GenerateRequest& request = rows.sequence->request;
    for (const PlacedPicture& placed : request.pictures) {
      const std::vector<int>& places = placed.picture->layout().feature_rows;
      const auto begin = std::ranges::lower_bound(places, rows.past - placed.begin);
      const auto end = std::ranges::lower_bound(places, rows.past + rows.count - placed.begin);
      if (begin >= end) continue;
      const Tensor features = pictures_.features(*placed.picture, request.adapter.get());
      for (auto place = begin; place != end; ++place) all.rows.push_back(first_row + placed.begin + *place - rows.past);
      values.insert(values.end(), features.row(begin - places.begin()), features.row(end - places.begin()));
    }
    first_row += rows.count;
  }
  if (all.rows.empty()) return all;
  all.values = Tensor({static_cast<int64_t>(all.rows.size()), model_->dims().hidden_size});
  std::ranges::copy(values, all.values.data());
  return all;
}

Batch StepRunner::make_batch(std::span<const PlannedRows> planned) {
  Batch batch;
  batch.cache = &cache_;
  for (const PlannedRows& rows : planned) {
    Segment segment;
    segment.begin = batch.tokens();
    segment.end = segment.begin + rows.count;
    segment.past = rows.past;
    segment.blocks = &rows.sequence->blocks;
    segment.prompt_length = rows.sequence->prompt_length;
    segment.adapter = rows.sequence->request.adapter.get();
    batch.segments.push_back(segment);
    const auto first = rows.sequence->tokens.begin() + rows.past;
    std::transform(first, first + rows.count, std::back_inserter(batch.token_ids),
                   [](TokenId id) { return std::max(id, 0); });  // a picture's rows: any id
    for (int i = 0; i < rows.count; ++i) batch.positions.push_back(rows.past + i);
  }
  batch.embedded = embedded(planned);
  if (std::ranges::any_of(planned, [](const PlannedRows& rows) { return !rows.sequence->grid.empty(); })) {
    for (const PlannedRows& rows : planned) {
      for (int row = rows.past; row < rows.past + rows.count; ++row)
        batch.grid_positions.push_back(rows.sequence->grid.empty() ? std::array{row, row, row}
                                                                   : rows.sequence->grid_position(row));
    }
  }
  return batch;
}

void StepRunner::want_logits(const PlannedRows& rows, int first_row, StepResult& result) {
  const Sequence& sequence = *rows.sequence;
  result.sequence = rows.sequence;
  if (sequence.prompt_logprobs_pending()) {
    // The logits of a row are about the token after it.
    const int end = std::min(rows.past + rows.count, sequence.prompt_length - 1);
    result.prompt.resize(std::max(0, end - rows.past));
    for (int i = 0; i < static_cast<int>(result.prompt.size()); ++i)
      wanted_.push_back({first_row + i, &result, &result.prompt[i], sequence.tokens[rows.past + i + 1]});
  }
  if (rows.ends_sequence() && sequence.drawn() < sequence.request.max_tokens)
    wanted_.push_back({first_row + rows.count - 1, &result, &result.token.emplace(), kDraw});
}

std::vector<StepResult> StepRunner::run(const StepPlan& plan) {
  const std::vector<PlannedRows> planned = by_adapter(plan.rows);
  const Tensor hidden = model_->forward(make_batch(planned));  // [tokens, hidden_size]
  std::vector<StepResult> results(planned.size());
  wanted_.clear();
  int row = 0;
  for (size_t i = 0; i < planned.size(); ++i) {
    want_logits(planned[i], row, results[i]);
    row += planned[i].count;
    ValueHead* head = planned[i].sequence->request.value_head.get();
    if (head && planned[i].ends_sequence()) reward(hidden, row - 1, *head, results[i]);
  }
  const int64_t vocab_size = model_->dims().vocab_size;
  const auto chunk = static_cast<size_t>(ops::logits_rows(vocab_size));
  std::vector<int> rows;
  for (size_t begin = 0; begin < wanted_.size(); begin += chunk) {
    const auto part = std::span(wanted_).subspan(begin, std::min(chunk, wanted_.size() - begin));
    rows.clear();
    for (const LogitsRow& wanted : part) rows.push_back(wanted.row);
    const Tensor logits = ops::logits(ops::gather_rows(hidden, rows), model_->output_head());  // [rows, vocab_size]
    parallel_for(static_cast<int64_t>(part.size()), 1, [&](int64_t i, int64_t end) {
      for (; i < end; ++i) compute(part[i], {logits.row(i), static_cast<size_t>(vocab_size)});
    });
  }
  return results;
}

// Runs on the compute pool. A row that fails fails its sequence, not the step.
void StepRunner::compute(const LogitsRow& row, std::span<const float> logits) try {
  const Sequence& sequence = *row.result->sequence;
  const GenerateRequest& request = sequence.request;
  const int top = std::max(0, request.top_logprobs);
  if (row.target != kDraw) {
    *row.output = describe(logits, row.target, top);
    return;
  }
  Sampler::Request draw{request.sampling, sequence.counts, {}, static_cast<uint64_t>(sequence.drawn())};
  if (TokenConstraint* constraint = request.constraint.get()) {
    draw.allowed = constraint->allowed();
    if (constraint->may_end()) draw.allowed_too = request.stop_token_ids;
    if (draw.allowed_too.empty() && std::ranges::all_of(draw.allowed, [](uint64_t word) { return word == 0; })) {
      row.result->token.reset();  // nothing may follow
      return;
    }
  } else if (sequence.drawn() < request.min_tokens) {
    draw.banned = request.stop_token_ids;
  }
  const TokenId id = samplers_[omp_get_thread_num()].draw(logits, draw);
  if (request.top_logprobs >= 0)
    *row.output = describe(logits, id, top, request.logprob_ids);
  else
    row.output->id = id;
} catch (const std::exception& error) {
  // Rows of one sequence may fail on two threads; a failed one only needs some reason.
#pragma omp critical(hearth_step_error)
  row.result->error = error.what();
}

}  // namespace hearth
