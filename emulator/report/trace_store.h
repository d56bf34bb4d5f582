// The traces of late: the platform's spans of each sampled invocation and those that functions sent
// to their X-Ray daemon, joined by trace. Whatever comes is handed on to who exports it.
#pragma once

#include "emulator/environment/invocation_report.h"
#include "emulator/report/span.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::report {

// Traces kept, and spans of one; what is more is forgotten, the oldest trace first, and counted.
// Our choice: enough to look back at a test run, and some megabytes.
inline constexpr std::size_t kMaxTraces = 500;
inline constexpr std::size_t kMaxSpansInTrace = 500;

struct Trace {
  std::string trace_id;  // 32 hexadecimal digits
  std::vector<Span> spans;
  std::size_t forgotten = 0;  // spans beyond kMaxSpansInTrace
};

struct TraceCounts {
  std::uint64_t spans = 0;      // that were taken
  std::uint64_t forgotten = 0;  // of them, those that were not kept, or are not any more
  std::uint64_t datagrams = 0;  // of functions
  std::uint64_t refused_datagrams = 0;
  std::string last_refusal;  // why the latest of these was
};

// Any thread.
class TraceStore {
 public:
  // Called without a lock, by whoever added the spans.
  using Export = std::function<void(const std::vector<Span>&)>;

  // `new_span_id` makes 16 hexadecimal digits.
  TraceStore(std::function<std::string()> new_span_id, Export exported);
  TraceStore(const TraceStore&) = delete;
  TraceStore& operator=(const TraceStore&) = delete;
  ~TraceStore() = default;

  // Nothing happens for one that is not sampled.
  void add(const environment::InvocationReport& report);

  // What a process of the function sent to the daemon, whatever it is.
  void take_datagram(const std::string& function_name, std::string_view datagram);

  // Newest first, by when they were first heard of.
  std::vector<Trace> newest(std::size_t limit) const;

  TraceCounts counts() const;

 private:
  void take(const std::vector<Span>& spans);
  void keep(const Span& span);

  const std::function<std::string()> new_span_id_;
  const Export exported_;

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Trace> traces_;
  std::deque<std::string> order_;  // the oldest first
  TraceCounts counts_;
};

}  // namespace emulator::report
