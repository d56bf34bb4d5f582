// Keeps events of one key one after another: an event whose key is busy is parked until the one
// before it has ended.
#pragma once

#include "emulator/harness/event_reader.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

namespace emulator::harness {

// What parked events may hold together before no further one is read. Our choice: as results may.
inline constexpr std::size_t kMaxParkedBytes = std::size_t{64} << 20;

// An event on its way.
struct Task {
  Event event;
  std::uint64_t number = 0;        // of those that run, from 0
  std::optional<std::string> key;  // nullopt: after nobody
};

// A value; its owner's thread, or under its owner's lock.
class KeyOrder {
 public:
  // The task, if it may run now; otherwise it is parked.
  std::optional<Task> admit(Task task);

  // Of a task that has ended: the next one of its key, which runs from now on.
  std::optional<Task> ended(const std::optional<std::string>& key);

  bool full() const { return parked_bytes_ >= kMaxParkedBytes; }
  std::size_t busy_keys() const { return parked_.size(); }

 private:
  std::unordered_map<std::string, std::deque<Task>> parked_;  // an entry for each key that is busy
  std::size_t parked_bytes_ = 0;
};

}  // namespace emulator::harness
