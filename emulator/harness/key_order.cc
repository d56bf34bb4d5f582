#include "emulator/harness/key_order.h"

#include <utility>

namespace emulator::harness {
namespace {

std::size_t size_of(const Task& task) { return sizeof(Task) + task.event.payload.size(); }

}  // namespace

std::optional<Task> KeyOrder::admit(Task task) {
  if (!task.key) return task;
  const auto [entry, free] = parked_.try_emplace(*task.key);
  if (free) return task;
  parked_bytes_ += size_of(task);
  entry->second.push_back(std::move(task));
  return std::nullopt;
}

std::optional<Task> KeyOrder::ended(const std::optional<std::string>& key) {
  if (!key) return std::nullopt;
  const auto entry = parked_.find(*key);
  if (entry == parked_.end()) return std::nullopt;
  if (entry->second.empty()) {
    parked_.erase(entry);
    return std::nullopt;
  }
  auto next = std::move(entry->second.front());
  entry->second.pop_front();
  parked_bytes_ -= size_of(next);
  return next;
}

}  // namespace emulator::harness
