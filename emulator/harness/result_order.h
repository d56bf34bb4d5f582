// Brings results into the order in which their events were read, in bounded memory: events that
// finish early wait for the ones before them, and when too many wait no further event is begun.
#pragma once

#include "emulator/harness/result_line.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace emulator::harness {

// Results that may wait for an earlier one, and what they may hold together. Our choice: a slow
// event of some seconds does not hold up a thousand fast ones a second, and memory stays small.
inline constexpr std::uint64_t kResultWindow = 4096;
inline constexpr std::size_t kMaxWaitingResultBytes = std::size_t{64} << 20;

// Any thread.
class ResultOrder {
 public:
  // Takes results that follow one another; one call at a time, with no lock held. False: there is
  // no use in further ones, and the order stops.
  using Give = std::function<bool(const std::vector<ReplayResult>& results)>;

  // `window` results at most are between the earliest event that has none and the latest begun.
  ResultOrder(std::uint64_t window, Give give) : window_(window), give_(std::move(give)) {}
  ResultOrder(const ResultOrder&) = delete;
  ResultOrder& operator=(const ResultOrder&) = delete;
  ~ResultOrder() = default;

  // Waits until the event of this number may begin; numbers count from 0, without a gap. False: it
  // may not, the order has stopped.
  bool await_room(std::uint64_t number);

  // The result of that event. This thread or another one hands it over, in turn.
  void put(std::uint64_t number, ReplayResult result);

  // Ends all waiting. What waits for an earlier result is forgotten.
  void stop();

 private:
  std::vector<ReplayResult> take_ready();  // with mutex_ held
  static std::size_t size_of(const ReplayResult& result);

  const std::uint64_t window_;
  const Give give_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable room_;
  std::deque<std::optional<ReplayResult>> waiting_;  // the first is that of head_
  std::uint64_t head_ = 0;
  std::size_t waiting_bytes_ = 0;
  bool giving_ = false;
  bool stopped_ = false;
};

}  // namespace emulator::harness
