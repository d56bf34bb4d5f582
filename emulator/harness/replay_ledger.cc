#include "emulator/harness/replay_ledger.h"

#include <utility>

namespace emulator::harness {
namespace {

// A batch of large responses is written in pieces. Our choice.
constexpr std::size_t kWriteBytes = std::size_t{1} << 20;

// Of the memory that is kept for lines; a large response's is given back.
constexpr std::size_t kKeptBytes = 4 * kWriteBytes;

void forget(std::string& lines) {
  lines.clear();
  if (lines.capacity() > kKeptBytes) lines.shrink_to_fit();
}

}  // namespace

void BrokenEvents::add(const BrokenEvent& event) {
  if (count_ < kMaxBrokenTold) tell_(event.message);
  if (count_ == kMaxBrokenTold) tell_("further broken events are counted and not told");
  ++count_;
}

void ReplayLedger::keep(const tl::expected<void, HarnessError>& outcome) {
  if (!outcome && !failure_) failure_ = outcome.error();
}

void ReplayLedger::count(const ReplayResult& result) {
  tally_.add(result);
  if (parts_.comparison) keep(parts_.comparison->take(result));
}

void ReplayLedger::write_lines() {
  // What is written to the file of results is done, so the saved line must be there before it.
  tl::expected<void, HarnessError> written;
  if (parts_.saved) written = parts_.saved->write(saved_lines_);
  if (written) written = parts_.output.write(lines_);
  keep(written);
  forget(lines_);
  forget(saved_lines_);
}

bool ReplayLedger::take(const std::vector<ReplayResult>& results) {
  for (const auto& result : results) {
    append_result_line(lines_, result);
    if (parts_.saved) append_saved_line(saved_lines_, result);
    if (lines_.size() >= kWriteBytes) write_lines();
    count(result);
  }
  write_lines();
  if (parts_.progress) parts_.progress(tally_);
  return !failure_;
}

void ReplayLedger::take_earlier(const ReplayResult& result) {
  ++earlier_;
  if (parts_.saved) {
    append_saved_line(saved_lines_, result);
    keep(parts_.saved->write(saved_lines_));
    forget(saved_lines_);
  }
  count(result);
}

void ReplayLedger::finish() {
  if (parts_.comparison && !failure_) keep(parts_.comparison->finish());
}

ReplaySummary ReplayLedger::summary() const {
  ReplaySummary summary;
  summary.tally = tally_;
  summary.earlier = earlier_;
  if (parts_.comparison) summary.comparison = parts_.comparison->counts();
  return summary;
}

}  // namespace emulator::harness
