#include "emulator/report/trace_store.h"

#include "emulator/report/platform_spans.h"
#include "emulator/report/xray_segment.h"

#include <algorithm>
#include <utility>

namespace emulator::report {

TraceStore::TraceStore(std::function<std::string()> new_span_id, Export exported)
    : new_span_id_(std::move(new_span_id)), exported_(std::move(exported)) {}

void TraceStore::add(const environment::InvocationReport& report) {
  take(platform_spans(report, new_span_id_));
}

void TraceStore::take_datagram(const std::string& function_name, std::string_view datagram) {
  auto spans = parse_datagram(datagram, function_name);
  {
    const std::lock_guard lock(mutex_);
    ++counts_.datagrams;
    if (!spans) {
      ++counts_.refused_datagrams;
      counts_.last_refusal = std::move(spans.error());
    }
  }
  if (spans) take(*spans);
}

void TraceStore::take(const std::vector<Span>& spans) {
  if (spans.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& span : spans) keep(span);
  }
  if (exported_) exported_(spans);
}

void TraceStore::keep(const Span& span) {
  ++counts_.spans;
  auto found = traces_.find(span.trace_id);
  if (found == traces_.end()) {
    if (order_.size() >= kMaxTraces) {
      counts_.forgotten += traces_.at(order_.front()).spans.size();
      traces_.erase(order_.front());
      order_.pop_front();
    }
    found = traces_.emplace(span.trace_id, Trace{.trace_id = span.trace_id, .spans = {}}).first;
    order_.push_back(span.trace_id);
  }
  auto& trace = found->second;
  if (trace.spans.size() >= kMaxSpansInTrace) {
    ++trace.forgotten;
    ++counts_.forgotten;
    return;
  }
  trace.spans.push_back(span);
}

std::vector<Trace> TraceStore::newest(std::size_t limit) const {
  std::vector<Trace> found;
  const std::lock_guard lock(mutex_);
  for (auto at = order_.rbegin(); at != order_.rend() && found.size() < limit; ++at) {
    found.push_back(traces_.at(*at));
  }
  return found;
}

TraceCounts TraceStore::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace emulator::report
