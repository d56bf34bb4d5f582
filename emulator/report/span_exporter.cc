#include "emulator/report/span_exporter.h"

#include "emulator/report/otlp_json.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace emulator::report {

SpanExporter::SpanExporter(Send send,
                           std::function<void(const std::string&)> complain,
                           ExportTerms terms)
    : send_(std::move(send)),
      complain_(std::move(complain)),
      terms_(terms),
      thread_([this] { run(); }) {}

SpanExporter::~SpanExporter() { stop(); }

void SpanExporter::add(const std::vector<Span>& spans) {
  {
    const std::lock_guard lock(mutex_);
    const auto room = stopping_ ? 0 : kMaxWaitingSpans - waiting_.size();
    const auto taken = std::min(room, spans.size());
    waiting_.insert(
        waiting_.end(), spans.begin(), spans.begin() + static_cast<std::ptrdiff_t>(taken));
    counts_.dropped += spans.size() - taken;
  }
  changed_.notify_all();
}

void SpanExporter::stop() {
  const std::lock_guard one_at_a_time(joining_);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

ExportCounts SpanExporter::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void SpanExporter::run() {
  bool complained = false;
  while (true) {
    const auto batch = next_batch();
    if (batch.empty()) return;
    const auto sent = send_patiently(otlp_document(batch));
    if (!sent && !std::exchange(complained, true)) complain_(sent.error().message);
    if (sent) complained = false;
    const std::lock_guard lock(mutex_);
    (sent ? counts_.sent : counts_.dropped) += batch.size();
    if (sent || !stopping_) continue;
    // Nobody is there any more, and who stops is not kept waiting for each document.
    counts_.dropped += waiting_.size();
    waiting_.clear();
  }
}

// Empty: it is over.
std::vector<Span> SpanExporter::next_batch() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
  const auto size = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kMaxSpansInDocument));
  std::vector<Span> batch(std::make_move_iterator(waiting_.begin()),
                          std::make_move_iterator(waiting_.begin() + size));
  waiting_.erase(waiting_.begin(), waiting_.begin() + size);
  return batch;
}

tl::expected<void, ExportError> SpanExporter::send_patiently(const std::string& document) {
  auto wait = terms_.first_wait;
  for (int number = 1;; ++number) {
    auto sent = send_(document);
    if (sent || sent.error().kind == ExportError::Kind::permanent) return sent;
    if (number >= terms_.most_tries || !wait_before_next_try(wait)) return sent;
    wait *= 2;
  }
}

// False: it is to stop.
bool SpanExporter::wait_before_next_try(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, wait, [this] { return stopping_; });
}

}  // namespace emulator::report
