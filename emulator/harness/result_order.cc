#include "emulator/harness/result_order.h"

#include <utility>

namespace emulator::harness {

std::size_t ResultOrder::size_of(const ReplayResult& result) {
  return sizeof(ReplayResult) + result.response.bytes.size() + result.event.size();
}

bool ResultOrder::await_room(std::uint64_t number) {
  std::unique_lock lock(mutex_);
  // The earliest event always has room, or nothing would ever make any.
  room_.wait(lock, [&] {
    return stopped_ || number == head_ ||
           (number < head_ + window_ && waiting_bytes_ < kMaxWaitingResultBytes);
  });
  return !stopped_;
}

void ResultOrder::put(std::uint64_t number, ReplayResult result) {
  std::unique_lock lock(mutex_);
  if (stopped_ || number < head_) return;
  const auto index = static_cast<std::size_t>(number - head_);
  if (waiting_.size() <= index) waiting_.resize(index + 1);
  waiting_bytes_ += size_of(result);
  waiting_[index] = std::move(result);
  if (giving_) return;
  giving_ = true;
  while (!stopped_) {
    const auto ready = take_ready();
    if (ready.empty()) break;
    lock.unlock();
    const bool go_on = give_(ready);
    lock.lock();
    for (const auto& given : ready) waiting_bytes_ -= size_of(given);
    if (!go_on) stopped_ = true;
    room_.notify_all();
  }
  giving_ = false;
}

std::vector<ReplayResult> ResultOrder::take_ready() {
  std::vector<ReplayResult> ready;
  while (!waiting_.empty() && waiting_.front()) {
    ready.push_back(std::move(*waiting_.front()));
    waiting_.pop_front();
    ++head_;
  }
  return ready;
}

void ResultOrder::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  room_.notify_all();
}

}  // namespace emulator::harness
