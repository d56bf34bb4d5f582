// A store that remembers in memory, as a state folder would on disk, and can be told to fail.
#pragma once

#include "emulator/state/store.h"

#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace tests {

// Any thread; the members are the test's, while nobody commits.
class RememberingStore final : public emulator::state::Store {
 public:
  tl::expected<void, emulator::state::StoreError> commit(
      const emulator::state::Changes& changes) override {
    const std::lock_guard lock(mutex_);
    if (failing) {
      return tl::unexpected(emulator::state::StoreError{emulator::state::StoreError::Kind::host,
                                                        "the disk is full; make room"});
    }
    ++commits;
    for (const auto& change : changes) {
      auto& table = documents[change.table];
      if (change.value) {
        table[change.key] = *change.value;
      } else {
        table.erase(change.key);
      }
    }
    return {};
  }

  tl::expected<void, emulator::state::StoreError> each(
      std::string_view table,
      const std::function<void(std::string_view, std::string_view)>& see) const override {
    const std::lock_guard lock(mutex_);
    const auto found = documents.find(std::string(table));
    if (found == documents.end()) return {};
    for (const auto& [key, value] : found->second) see(key, value);
    return {};
  }

  bool durable() const override { return true; }

  std::map<std::string, std::map<std::string, std::string>> documents;
  int commits = 0;
  bool failing = false;

 private:
  mutable std::mutex mutex_;
};

}  // namespace tests
