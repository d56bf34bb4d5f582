// Sends spans to one place as documents of OpenTelemetry's protocol, on a thread of its own, so
// that no invocation waits for it. What comes while a document is under way makes up the next one.
#pragma once

#include "emulator/report/span.h"

#include <tl/expected.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace emulator::report {

// Our choice: the batch that OpenTelemetry's own exporters send.
inline constexpr std::size_t kMaxSpansInDocument = 512;

// Waiting to be sent; beyond it the newest are dropped and counted. Our choice: a minute of a busy
// function, and a few megabytes.
inline constexpr std::size_t kMaxWaitingSpans = 16'384;

struct ExportError {
  // Whether the same document may be taken later.
  enum class Kind : std::uint8_t { passing, permanent };
  Kind kind = Kind::passing;
  std::string message;  // a sentence: what, where, how to mend
};

struct ExportTerms {
  // Tries of one document; the wait after the first, which doubles with each. Our choice: a
  // collector that is being started is waited for, one that is not there is given up.
  int most_tries = 5;
  std::chrono::milliseconds first_wait{200};
};

struct ExportCounts {
  std::uint64_t sent = 0;     // spans
  std::uint64_t dropped = 0;  // for want of room, or given up
};

// Any thread.
class SpanExporter {
 public:
  // On the exporter's thread; blocks while it sends. No longer than a stop may take.
  using Send = std::function<tl::expected<void, ExportError>(const std::string& document)>;

  // `complain` is told, on the exporter's thread, when a document was given up: the first one, and
  // the first after one that was sent.
  SpanExporter(Send send, std::function<void(const std::string&)> complain, ExportTerms terms = {});
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;
  ~SpanExporter();  // stops

  // Does not wait; after stop() they are dropped.
  void add(const std::vector<Span>& spans);

  // Sends what waits, each document once, until one fails; then ends the thread. May be called
  // again.
  void stop();

  ExportCounts counts() const;

 private:
  void run();
  std::vector<Span> next_batch();
  tl::expected<void, ExportError> send_patiently(const std::string& document);
  bool wait_before_next_try(std::chrono::milliseconds wait);

  const Send send_;
  const std::function<void(const std::string&)> complain_;
  const ExportTerms terms_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Span> waiting_;
  ExportCounts counts_;
  bool stopping_ = false;

  std::mutex joining_;  // one stop() at a time
  std::thread thread_;  // last: it uses the rest
};

}  // namespace emulator::report
